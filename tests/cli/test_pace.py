from __future__ import annotations

import pytest

from tfdpzoo.cli.pace import Pace


class _Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _paced(updates: int, seconds: list[float]) -> Pace:
    clock = _Clock()
    pace = Pace(updates, clock)
    for each in seconds:
        clock.now += each
        pace.count()
    return pace


@pytest.mark.parametrize("seconds", [[], [30.0]])
def test_nothing_is_said_before_the_second_update(seconds: list[float]) -> None:
    pace = _paced(100, seconds)

    assert pace.done == len(seconds)
    assert pace.seconds_per_update is None
    assert pace.remaining_seconds is None
    assert pace.total_seconds is None


def test_slow_first_updates_do_not_count_towards_the_speed() -> None:
    pace = _paced(100, [30.0, 5.0, *[1.0] * 18])

    assert pace.seconds_per_update == pytest.approx(1.0)
    assert pace.remaining_seconds == pytest.approx(80.0)
    assert pace.total_seconds == pytest.approx(30 + 5 + 18 + 80)


def test_the_whole_time_waits_for_enough_updates_or_for_long_ones() -> None:
    assert _paced(1000, [30.0, *[0.1] * 40]).total_seconds is None
    assert _paced(1000, [30.0, *[0.1] * 60]).total_seconds is not None
    assert _paced(1000, [30.0, 11.0]).total_seconds == pytest.approx(30 + 11 * 999)
