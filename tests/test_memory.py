"""Amounts of memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfdpzoo import memory
from tfdpzoo.errors import InputError
from tfdpzoo.memory import default_memory_limit, free_memory, memory_in_words, parse_memory


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("256MiB", 256 * 2**20),
        ("2GB", 2 * 10**9),
        (" 1.5 gib ", 3 * 2**29),
        ("64kB", 64_000),
        ("1TiB", 2**40),
        ("7B", 7),
    ],
)
def test_amounts_are_read(text: str, amount: int) -> None:
    assert parse_memory(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        *("", "MiB", "256", "-1GB", "0MB", "0.1B", "1e9B", "1MiBB", "1 XB", "nanGB", "infB"),
        *("١GB", "1,5GB", "9" * 5000 + "GB"),
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no amount of memory; give a number and a unit, such"):
        parse_memory(text)


@given(st.integers(1, 10**15), st.sampled_from(["B", "KiB", "MiB", "GiB", "TiB"]))
def test_every_whole_amount_is_exact(number: int, unit: str) -> None:
    exponent = ["B", "KiB", "MiB", "GiB", "TiB"].index(unit)
    assert parse_memory(f"{number % 10**15 or 1}{unit}") == (number % 10**15 or 1) * 1024**exponent


@given(st.integers(1, 2**60))
def test_words_are_read_back_to_four_digits(amount: int) -> None:
    words = memory_in_words(amount)
    if "e" not in words:
        assert parse_memory(words) == pytest.approx(amount, rel=1e-3)


def test_half_of_what_is_free_in_the_container_is_the_default(monkeypatch) -> None:
    assert free_memory() > 0
    monkeypatch.setattr(memory, "_free_in_container", lambda: 1001.0)
    assert default_memory_limit() == 500
