"""The picture of a search: which lines it has, and where they run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tfdpzoo.tuning.parallel_coordinates import draw_parallel_coordinates
from tfdpzoo.tuning.trial_row import TrialRow

DPI, LEFT, SPACING, BOTTOM, HEIGHT = 144, 1.2, 1.6, 0.3, 3.4
# The colours of the highest score, of one half-way, of the lowest, and of crashed trials.
HIGHEST, MIDDLE, LOWEST = (8, 29, 88), (31, 128, 184), (152, 216, 184)
CRASHED = (138, 133, 119)


def _row(score: float | None, **settings: object) -> TrialRow:
    return TrialRow("0", "crashed" if score is None else "completed", score, 1.0, 1.0, settings)


def _drawn(
    folder: Path, rows: list[TrialRow], logarithmic: frozenset[str] = frozenset()
) -> npt.NDArray[np.int_]:
    path = folder / "picture.png"
    draw_parallel_coordinates(rows, logarithmic, path)
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def _heights(
    picture: npt.NDArray[np.int_], axis: int, colour: tuple[int, int, int]
) -> npt.NDArray[np.float64]:
    """Where a colour lies just right of an axis, as shares of the axis' height."""
    column = picture[:, round((LEFT + SPACING * axis + 0.1) * DPI)]
    rows = np.flatnonzero(np.abs(column - colour).max(axis=1) < 12)
    return (len(picture) - rows - BOTTOM * DPI) / (HEIGHT * DPI)


def test_the_best_line_is_thick_and_lies_on_top(tmp_path: Path) -> None:
    rows = [_row(0.9, rate=1.0), *(_row(0.5 + 0.01 * each, rate=1.0) for each in range(9))]
    picture = _drawn(tmp_path, [*rows, _row(0.4, rate=2.0)])
    best, worst = (_heights(picture, 0, colour) for colour in (HIGHEST, LOWEST))
    assert len(best) > 2 * len(worst) > 0
    # Ten lines leave the lower end of the axis.
    assert best.mean() == pytest.approx(0.0, abs=0.01)
    assert worst.mean() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("names", "height"), [({"rate"}, 0.5), (set(), 0.0909)])
def test_an_axis_is_logarithmic_where_the_setting_is(
    names: set[str], height: float, tmp_path: Path
) -> None:
    rows = [_row(0.5, rate=1.0), _row(0.9, rate=10.0), _row(0.5, rate=100.0)]
    best = _heights(_drawn(tmp_path, rows, frozenset(names)), 0, HIGHEST)
    # The line has begun to leave the height of its setting by 0.1 inches, but hardly.
    assert best.mean() == pytest.approx(height, abs=0.04)


def test_crashed_trials_are_dashed_and_end_before_the_score(tmp_path: Path) -> None:
    picture = _drawn(tmp_path, [_row(None, rate=1.0, clip=2.0), _row(0.5, rate=3.0, clip=4.0)])
    strip = picture[:, round((LEFT + 0.2) * DPI) : round((LEFT + SPACING - 0.2) * DPI)]
    columns = (np.abs(strip - CRASHED).max(axis=2) < 12).any(axis=0)
    assert 0.3 < columns.mean() < 0.8
    assert len(_heights(picture, 1, CRASHED)) == 0


def test_without_crashes_nothing_is_grey(tmp_path: Path) -> None:
    picture = _drawn(tmp_path, [_row(0.4, rate=1.0, clip=2.0), _row(0.5, rate=3.0, clip=4.0)])
    strip = picture[:, round((LEFT + 0.2) * DPI) : round((LEFT + SPACING - 0.4) * DPI)]
    assert not (np.abs(strip - CRASHED).max(axis=2) < 12).any()


def test_a_trial_without_a_setting_passes_below_the_others(tmp_path: Path) -> None:
    picture = _drawn(tmp_path, [_row(0.9, rate=1.0), _row(0.5, rate=1.0, momentum=0.1)])
    assert _heights(picture, 1, HIGHEST).mean() < 0.08
    assert _heights(picture, 1, LOWEST).mean() > 0.2


def test_words_are_apart_from_each_other(tmp_path: Path) -> None:
    rows = [_row(0.9, kind="selu"), _row(0.5, kind="elu")]
    picture = _drawn(tmp_path, rows)
    assert _heights(picture, 0, HIGHEST).mean() == pytest.approx(0.75, abs=0.02)
    assert _heights(picture, 0, LOWEST).mean() == pytest.approx(0.25, abs=0.02)


def test_equal_scores_have_equal_colours(tmp_path: Path) -> None:
    picture = _drawn(tmp_path, [_row(0.5, rate=1.0), _row(0.5, rate=2.0)])
    heights = _heights(picture, 0, MIDDLE)
    assert heights.min() == pytest.approx(0.0, abs=0.02)
    assert heights.max() == pytest.approx(1.0, abs=0.02)
    assert not len(_heights(picture, 0, HIGHEST)) and not len(_heights(picture, 0, LOWEST))
