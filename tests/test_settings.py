"""Typed fields of dataclasses."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.settings import check_settings, check_value, setting, typed_value


@dataclass(frozen=True)
class _Example:
    rate: float = setting(above=0, at_most=1)
    kind: str = setting("plain", choices={"kind": ("plain", "fancy")})
    frills: int = setting(0, at_least=0, belongs_to=("kind", "fancy"))

    def __post_init__(self) -> None:
        check_settings(self, "example")


def test_numbers_of_numpy_become_numbers_of_python() -> None:
    example = _Example(rate=np.float32(0.5), kind="fancy", frills=np.int64(3))
    assert type(example.rate) is float
    assert type(example.frills) is int


def test_a_name_of_a_file_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(InputError, match=r"dataset is 'images\?', which is not valid UTF-8"):
        typed_value("dataset", os.fsdecode(b"images\xff"), str)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"rate": 0}, "example.rate must be above 0 and at most 1, got 0.0."),
        ({"rate": None}, "example.rate must be a number, got None."),
        ({"rate": 10**400}, "example.rate must be a finite number, got a whole number of more"),
        ({"rate": 1, "frills": 10.0}, "example.frills must be a whole number, got 10.0."),
        ({"rate": 1, "kind": "fanci"}, "There is no kind named 'fanci'; did you mean 'fancy'?"),
        (
            {"rate": 1, "frills": 2},
            "example.frills is 2 but has a meaning only with example.kind = 'fancy'; "
            "example.kind is 'plain'.",
        ),
    ],
)
def test_values_that_do_not_fit(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        _Example(**values)  # type: ignore[arg-type]
    assert sentence in str(caught.value)


def test_typed_values() -> None:
    assert typed_value("separable", True, bool) is True
    assert typed_value("anything", {"a": 1}, None) == {"a": 1}
    assert typed_value("image_size", None, int | None) is None
    with pytest.raises(InputError, match="separable must be true or false, got 'no'"):
        typed_value("separable", "no", bool)


def test_free_values_are_copied_and_finite() -> None:
    inner = [1, 2]
    copied = check_value("free", {"a": inner, "b": (3, np.float64(0.5))})
    inner.append(3)
    assert copied == {"a": [1, 2], "b": [3, 0.5]}
    with pytest.raises(InputError, match=r"free\.a must be a finite number, got nan"):
        check_value("free", {"a": [float("nan")]})
