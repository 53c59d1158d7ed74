"""The page says what the results hold, and nothing where they hold nothing."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmarks import __main__ as command_line
from benchmarks.contenders import CONTENDERS, ORDINARY, OURS
from benchmarks.measurement import Measurement
from benchmarks.page import write_page
from benchmarks.replicas import ALONE, MIRRORED, SILENT
from benchmarks.results import (
    RESULTS,
    Section,
    read_sections,
    update_section,
    write_section,
)

MEASURED_ON = {"command": "`make bench`", "date": "2030-01-02", "CPU": "A | B"}
MODEL = "smoothnet-w80d10"


def comparison() -> list[Measurement]:
    rows = {
        each.name: Measurement(each.name, 64, (0.5, 0.4, 0.6), 1500, 601_069, "CPU")
        for each in CONTENDERS
    }
    rows[OURS.name] = Measurement(
        OURS.name, 64, (0.1, 0.2, 0.3), 900, 601_069, "CPU", 64, {"tensorflow": "9.1"}
    )
    rows["Opacus, ghost"] = Measurement("Opacus, ghost", 64, failure="ended by signal 11")
    return list(rows.values())


def growth(*seconds_an_example: float) -> list[Measurement]:
    rows = [
        Measurement(OURS.name, batch, (batch * cost, batch * cost), 900 + batch / 8, chunk=64)
        for batch, cost in zip((64, 256, 1024), seconds_an_example, strict=True)
    ]
    largest = Measurement(OURS.name, 16_384, (99.0,), 1300, chunk=64)
    return [*rows, largest, Measurement(ORDINARY.name, 64, (0.1,), 1000)]


def page(folder: Path, **sections: list[Measurement]) -> str:
    results = folder / "results.json"
    for name, rows in sections.items():
        write_section(name, Section.of_one_run(MEASURED_ON, {MODEL: rows}), results)
    write_page(read_sections(results), folder)
    return (folder / "benchmarks.md").read_text()


def cells(text: str, contender: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {contender} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_comparison(tmp_path):
    text = page(tmp_path, comparison=comparison())
    assert "### smoothnet-w80d10, 64 examples, 601,069 parameters" in text
    # Ratios round by round: 0.1/0.5, 0.2/0.4, 0.3/0.6.
    assert cells(text, OURS.name) == ["0.2", "1.00", "0.50", "900", "3", ""]
    assert cells(text, "JAX-Privacy") == ["0.5", "2.00", "1.00", "1,500", "3", ""]
    assert cells(text, "Opacus, ghost") == ["", "", "", "", "", "ended by signal 11"]
    assert "; date: 2030-01-02; CPU: A | B; device: CPU; versions: tensorflow 9.1.\n" in text
    assert "## Larger batches" not in text
    with Image.open(tmp_path / "benchmarks-comparison.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 10


def test_inference(tmp_path):
    rows = [Measurement("exported", 10, (0.1, 0.3)), Measurement("plain twin", 10, (0.2, 0.3))]
    text = page(tmp_path, inference=rows)
    assert "|  | 10 | 20 | 25 | 0.750 |\n" in text


def test_summary(tmp_path):
    rows = {row.contender: row for row in comparison()}
    rows["TF-Privacy, vectorized"] = Measurement("TF-Privacy, vectorized", 64, (12.0, 24.0))
    rows["Opacus, functorch"] = Measurement("Opacus, functorch", 64, (0.3, 0.6, 0.9))
    rows["JAX-Privacy"] = Measurement("JAX-Privacy", 64, failure="too old")
    text = page(tmp_path, comparison=list(rows.values()))
    # Opacus: ghost has no steps, the hooks' ratios are 5, 2, 2 and those of functorch 3, 3, 3.
    summary = ["601,069", "64", "0.50", "0.60", "120.0", "2.0 hooks", ""]
    assert cells(text, MODEL) == summary
    assert text.index(f"| {MODEL} |") < text.index(f"### {MODEL}")


def test_summary_of_our_failure(tmp_path):
    rows = [Measurement(OURS.name, 64, failure="no"), *comparison()[1:]]
    assert cells(page(tmp_path, comparison=rows), MODEL) == ["", "64", *[""] * 5]


def test_models_measured_again_keep_their_place_and_their_facts(tmp_path):
    results = tmp_path / "results.json"
    later = MEASURED_ON | {"date": "2030-03-04"}
    kept = dict.fromkeys(("wrn16-4", "tanh-cnn"), comparison())
    write_section("comparison", Section.of_one_run(MEASURED_ON, kept), results)
    again = [Measurement(row.contender, 8, (0.7,)) for row in comparison()]
    newer = Section.of_one_run(later, {"wrn16-4": again, MODEL: again})
    update_section("comparison", newer, results)
    write_page(read_sections(results), tmp_path)
    text = (tmp_path / "benchmarks.md").read_text()
    assert re.findall("^### (.*), ([0-9]+) examples", text, re.MULTILINE) == [
        (MODEL, "8"),
        ("wrn16-4", "8"),
        ("tanh-cnn", "64"),
    ]
    assert f"\n{MODEL}, wrn16-4: command: `make bench`; date: 2030-03-04" in text
    assert "\ntanh-cnn: command: `make bench`; date: 2030-01-02" in text


def test_a_section_of_its_own_where_none_was_kept(tmp_path):
    results = tmp_path / "results.json"
    update_section("comparison", Section.of_one_run(MEASURED_ON, {MODEL: comparison()}), results)
    assert read_sections(results)["comparison"]["models"].keys() == {MODEL}


@pytest.mark.parametrize(
    "arguments",
    [["--model", MODEL], ["growth", "--model", MODEL], ["--page-only", "--model", MODEL]],
)
def test_model_is_of_the_comparison_alone(arguments):
    done = CliRunner().invoke(command_line.main, arguments)
    assert done.exit_code == 2
    assert "--model is of the comparison alone: python -m benchmarks comparison" in done.output


def test_only_the_named_models_are_measured_again(monkeypatch):
    calls = []
    monkeypatch.setattr(command_line.comparison, "measure", lambda show, names: list(names))
    monkeypatch.setattr(command_line, "update_section", lambda *section: calls.append(section))
    monkeypatch.setattr(command_line, "write_page", lambda *_: calls.append("page"))
    arguments = ["comparison", "--model", "wrn16-4", "--model", MODEL]
    assert CliRunner().invoke(command_line.main, arguments).exit_code == 0
    assert calls == [("comparison", ["wrn16-4", MODEL]), "page"]


@pytest.mark.parametrize(
    ("costs", "verdict"),
    [
        ((0.001, 0.00108, 0.00104), "differs by 8% between 64 and 1,024 examples: time is linear"),
        (
            (0.001, 0.0012, 0.001),
            "differs by 20% between 64 and 1,024 examples: time is not linear",
        ),
    ],
)
def test_growth(costs, verdict, tmp_path):
    text = page(tmp_path, growth=growth(*costs))
    assert verdict in text
    # 1300 - 908 MB, and 16,320 images of 12,288 bytes.
    assert "grows by 392 MB between 64 and 16,384 examples, where" in text
    assert "images themselves take 201 MB: apart from them it is not constant within 10%" in text
    assert "ends at 1.30 times an ordinary step's with 64 examples" in text
    assert cells(text, OURS.name) == ["64", "0.064", "1.00", "908", "0.8", ""]
    assert (tmp_path / "benchmarks-growth.png").stat().st_size > 10_000


def test_page_of_nothing_measured(tmp_path):
    failures = [Measurement(each.name, 64, failure="no") for each in CONTENDERS]
    text = page(tmp_path, comparison=failures, growth=[Measurement(OURS.name, 64, failure="no")])
    assert cells(text, OURS.name)[-1] == "no"
    assert "linear" not in text


def test_sections_are_kept_beside_each_other(tmp_path):
    page(tmp_path, comparison=comparison())
    text = page(tmp_path, growth=growth(0.1, 0.1, 0.1))
    assert text.index("## A training step") < text.index("## Larger batches")
    assert json.loads((tmp_path / "results.json").read_text()).keys() == {"comparison", "growth"}


@pytest.mark.skipif(not RESULTS.exists(), reason="nothing has been measured yet: make bench")
def test_page_of_the_repository_is_that_of_its_results(tmp_path):
    write_page(read_sections(), tmp_path)
    page_of_repository = RESULTS.parents[1] / "docs" / "benchmarks.md"
    assert page_of_repository.read_text() == (tmp_path / "benchmarks.md").read_text()


def test_replicas_beside_one_device(tmp_path):
    seconds = {ALONE.name: 0.5, MIRRORED.name: 0.625, SILENT.name: 0.5}
    rows = [Measurement(name, 256, (time,)) for name, time in seconds.items()]
    write_page({"replicas": asdict(Section.of_one_run(MEASURED_ON, {MODEL: rows}))}, tmp_path)
    text = (tmp_path / "benchmarks.md").read_text()
    assert f"| {MODEL} | 256 | {ALONE.name} | 0.5 | 2.00 | 1.00 |  |" in text
    assert f"| {MODEL} | 256 | {MIRRORED.name} | 0.625 | 1.60 | 0.80 | 20% |" in text
    assert SILENT.name not in text
    assert "Not measured." in text
