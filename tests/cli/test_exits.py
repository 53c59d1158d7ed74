"""How the program ends."""

from __future__ import annotations

import pytest


def test_a_refusal_steers_no_terminal(program) -> None:
    outcome = program("verify", "no/\x1b[2Jwhere")

    assert outcome.code == 2
    assert "\x1b" not in outcome.err and "no/\ufffd[2Jwhere" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "a" * 5000),
        ("guarantee", "/" + "a" * 5000),
        ("export", "a" * 5000, "--format", "onnx"),
        ("gallery", "--models", "a" * 5000),
    ],
)
def test_a_name_too_long_for_a_file_is_one_sentence(refused, arguments) -> None:
    assert refused(*arguments).endswith("aaaa...; give a shorter one.")
