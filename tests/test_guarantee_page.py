"""What docs/guarantee.md tells people to do."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from searches import LAWS, random_search, record_of
from stand_in import StandIn

from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.privacy.search import Search
from tfdpzoo.privacy.statement import round_up
from tfdpzoo.saved_model import export

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guarantee.md"
RECORD = "saved_models/NAME/1/assets.extra/privacy.json"


def printed_by_its_code(section: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the code of one section prints, run in the current folder."""
    text = PAGE.read_text().partition(f"# {section}\n")[2]
    code = "\n".join(re.findall(r"```python\n(.*?)```", text.partition("\n## ")[0], re.DOTALL))
    capsys.readouterr()
    exec(compile(code, str(PAGE), "exec"), {})
    return capsys.readouterr().out.splitlines()


def test_its_code_computes_epsilon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    export(StandIn(), tmp_path / "saved_models" / "NAME" / "1")
    monkeypatch.chdir(tmp_path)

    by_pld, by_hand = printed_by_its_code("Checking it without this project", capsys)
    computed, _, stated = by_pld.partition(" is to be ")
    # The default grid of PLD is finer or coarser than ours by at most this.
    assert float(computed) == pytest.approx(float(stated), rel=1e-3)
    # By how much the textbook's conversion is looser than PLD for these 20 updates.
    assert float(stated) < float(by_hand) < 2 * float(stated)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_its_code_computes_the_total_of_a_search(
    law: RepetitionLaw,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = record_of(random_search(law=law))
    (tmp_path / RECORD).parent.mkdir(parents=True)
    (tmp_path / RECORD).write_text(record.to_json())
    monkeypatch.chdir(tmp_path)

    (printed,) = printed_by_its_code("Accounted searches", capsys)
    computed, _, stated = printed.partition(" is to be ")
    assert float(stated) == record.epsilon
    assert float(computed) == pytest.approx(record.epsilon, rel=1e-9)


def test_the_numbers_of_its_example_are_right() -> None:
    search = random_search()
    told = (search.trial.noise_multiplier, search.trial.sampling_rate, search.trial.updates)
    assert (*told, search.score_noise_multiplier, search.law) == (1.1, 0.1, 20, 8.0, LAWS[0])
    one, whole = round_up(search.trial_epsilon), round_up(search.total_epsilon)
    text = " ".join(PAGE.read_text().split())
    assert f"one trial costs epsilon {one} at delta 1e-4, and the search {whole}." in text


def test_it_tells_of_every_field_of_a_search() -> None:
    table = PAGE.read_text().partition("### Accounted searches")[2].partition("## Verification")[0]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert rows == [field.name for field in fields(Search)]


def test_it_tells_of_every_field() -> None:
    table = PAGE.read_text().partition("## The record")[2].partition("### Tuning")[0]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert rows == ["sentence", *(field.name for field in fields(PrivacyGuarantee))]
