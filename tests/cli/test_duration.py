from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfdpzoo.cli.duration import clock, duration_in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 seconds"),
        (1, "1 second"),
        (119.4, "119 seconds"),
        (120, "2 minutes"),
        (7169, "119 minutes"),
        (7200, "2 hours"),
        (111_600, "31 hours"),
        (180_000, "2 days"),
        (8.64e7, "1,000 days"),
    ],
)
def test_a_time_has_the_unit_that_suits_it(seconds: float, words: str) -> None:
    assert duration_in_words(seconds) == words


@given(st.floats(30, 1e9))
def test_words_are_right_to_a_quarter(seconds: float) -> None:
    number, unit = duration_in_words(seconds).replace(",", "").split()
    length = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}[unit.rstrip("s")]

    # Rounding 2.5 units to 2 is the worst case.
    assert float(number) * length == pytest.approx(seconds, rel=0.25)


def test_a_clock_counts_minutes_and_hours() -> None:
    assert [clock(each) for each in (0, 59.9, 60, 3600)] == ["0:00", "0:59", "1:00", "1:00:00"]
