"""How often a run is saved, as it is typed."""

from __future__ import annotations

import pytest

from tfdpzoo.checkpoint_interval import CheckpointInterval
from tfdpzoo.errors import InputError


@pytest.mark.parametrize(
    ("text", "updates", "seconds"),
    [("1", 1, 0), ("250", 250, 0), ("30s", 0, 30), ("1.5m", 0, 90), (" 2h ", 0, 7200)],
)
def test_updates_or_a_time(text: str, updates: int, seconds: float) -> None:
    assert CheckpointInterval.parse(text) == CheckpointInterval(updates, seconds)


@pytest.mark.parametrize("text", ["", "0", "0s", "-5", "5 m", "m", "1.5", "5d", "nan", "1e3s"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no interval between checkpoints; give a number"):
        CheckpointInterval.parse(text)


def test_updates_decide_where_they_are_given() -> None:
    by_updates, by_time = CheckpointInterval(updates=10), CheckpointInterval(seconds=60.0)

    assert by_updates.is_over(10, 0.0) and not by_updates.is_over(9, 1e9)
    assert by_time.is_over(1, 60.0) and not by_time.is_over(10**9, 59.9)
