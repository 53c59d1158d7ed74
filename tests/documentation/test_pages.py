"""What the pages say can be typed, run and looked up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_lines import lines_of_page, parse

from tfdpzoo import data

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def python_blocks(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_command_lines_of_pages_parse(page: Path) -> None:
    for line in lines_of_page(page.read_text(encoding="utf-8")):
        parse(line)


def test_command_lines_are_found_in_pages() -> None:
    for page in ("quickstart.md", "own-images.md", "recipes.md"):
        assert list(lines_of_page((ROOT / "docs" / page).read_text(encoding="utf-8")))


def test_what_the_page_of_pitfalls_names_exists() -> None:
    text = (ROOT / "docs" / "pitfalls.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|tfdpzoo|cli|zoo)/[\w/]+\.py)(?:::(\w+))?`", text)

    assert len(named) > 50
    for file, test in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert f"def {test}(" in source if test else source, f"{file}::{test}"


def test_every_pitfall_has_a_severity_a_place_and_a_proof() -> None:
    text = (ROOT / "docs" / "pitfalls.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ") and not line.startswith("| what goes wrong")
    ]

    assert len(rows) > 30
    for row in rows:
        assert len(row) == 4, row
        assert row[1] in ("Critical", "Theoretical", "Negligible"), row
        if not row[2].startswith("not stopped"):
            assert re.search(r"`(tfdpzoo|cli)/[\w/]+\.py`", row[2]), row
            assert "`tests/" in row[3], row


def test_the_images_of_the_tutorial_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = next(block for block in python_blocks("own-images.md") if "PATTERNS" in block)
    monkeypatch.chdir(tmp_path)

    exec(script.replace('"train": 1000, "test": 200', '"train": 5, "test": 2'), {})
    images = data.load("fabrics", image_size=32)

    assert images.class_names == ("checks", "columns", "stripes")
    assert images.train_images.shape == (15, 32, 32, 3)
    assert len(images.test_labels) == 6


def test_the_quickstart_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = next(block for block in python_blocks("quickstart.md") if "PrivateModel" in block)
    monkeypatch.chdir(tmp_path)

    exec(script, {})

    assert "differentially private with epsilon = 3.00" in capsys.readouterr().out
    assert (tmp_path / "saved_models" / "noise" / "1" / "saved_model.pb").is_file()
