"""The `key=value` texts of the command line."""

from __future__ import annotations

import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.overrides import full_key, parse_assignments, read_value


def test_assignments_are_split_at_the_first_equals_sign() -> None:
    assert parse_assignments(["dataset=a=b", " epsilon = 3 "]) == {"dataset": "a=b", "epsilon": "3"}


@pytest.mark.parametrize("assignment", ["epsilon", "=3", ""])
def test_an_assignment_without_key_or_value(assignment: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_assignments([assignment])
    assert str(caught.value) == f"An override must read key=value, got {assignment!r}."


def test_an_assignment_twice() -> None:
    with pytest.raises(InputError, match="epsilon is set twice; give it once"):
        parse_assignments(["epsilon=3", "epsilon=4"])


def test_the_last_part_of_two_keys_is_ambiguous() -> None:
    with pytest.raises(InputError, match=r"'rate' alone is ambiguous; write a\.rate or b\.rate\."):
        full_key("rate", ["a.rate", "b.rate"])


@pytest.mark.parametrize(
    ("text", "hint", "value"),
    [
        ("512", int, 512),
        ("1e-5", float, 1e-5),
        ("true", None, True),
        ("relu", None, "relu"),
        ('"relu"', None, "relu"),
        ("2024", str, "2024"),
        ("C:\\data", str, "C:\\data"),
        ("[1, 2]", None, [1, 2]),
        ("[1, 2", None, "[1, 2"),
        (7, None, 7),
    ],
)
def test_text_is_read_as_toml_or_stays_text(text: str, hint: type | None, value: object) -> None:
    assert read_value(text, hint=hint) == value
