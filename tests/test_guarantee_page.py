"""What docs/guarantee.md tells people to do."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from stand_in import StandIn

from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.saved_model import export

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guarantee.md"


def test_its_code_computes_epsilon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    export(StandIn(), tmp_path / "saved_models" / "NAME" / "1")
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    exec(compile(code, str(PAGE), "exec"), {})

    by_pld, by_hand = capsys.readouterr().out.splitlines()
    computed, _, stated = by_pld.partition(" is to be ")
    # The default grid of PLD is finer or coarser than ours by at most this.
    assert float(computed) == pytest.approx(float(stated), rel=1e-3)
    # By how much the textbook's conversion is looser than PLD for these 20 updates.
    assert float(stated) < float(by_hand) < 2 * float(stated)


def test_it_tells_of_every_field() -> None:
    table = PAGE.read_text().partition("## The record")[2].partition("## Verification")[0]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert rows == ["sentence", *(field.name for field in fields(PrivacyGuarantee))]
