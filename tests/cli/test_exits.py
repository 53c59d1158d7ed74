"""How the program ends."""

from __future__ import annotations


def test_a_refusal_steers_no_terminal(program) -> None:
    outcome = program("verify", "no/\x1b[2Jwhere")

    assert outcome.code == 2
    assert "\x1b" not in outcome.err and "no/\ufffd[2Jwhere" in outcome.err
