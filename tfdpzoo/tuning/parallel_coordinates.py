"""The picture of a search: a line for each trial through its settings to its score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdpzoo.cards import theme
from tfdpzoo.tuning.trial_row import TrialRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SCORE = "score in %"
_TICKS = 5
_LONGEST_LABEL = 12
_COLOURS = "viridis_r"
_MOST_LISTED = 5
"""So many different numbers are shown like names, evenly apart; more of them on a scale."""


def draw_parallel_coordinates(
    rows: Sequence[TrialRow], logarithmic: frozenset[str], path: str | Path
) -> None:
    """Draws trials as lines across one axis a setting; the last axis is the score.

    The best trial is drawn thick and on top, crashed ones dashed and without a score. A trial that
    does not have a setting has a gap there.

    Args:
        rows: The trials.
        logarithmic: The settings whose axes are logarithmic.
        path: Where the PNG is written.
    """
    from matplotlib import colormaps
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    keys = list(dict.fromkeys(key for row in rows for key in row.settings))
    axes = [_Axis.of(key, [row.settings.get(key) for row in rows], logarithmic) for key in keys]
    scores = [100 * row.score for row in rows if row.score is not None]
    axes.append(_Axis.of(_SCORE, scores, logarithmic))
    figure = Figure(figsize=(max(5.0, 1.7 * len(axes)), 4.2), layout="constrained")
    plot = figure.subplots()
    share = Normalize(min(scores, default=0.0), max(scores, default=100.0))
    best = max(scores, default=None)
    # The best line comes last, so that it lies on top.
    for row in sorted(rows, key=lambda each: -1.0 if each.score is None else each.score):
        score = None if row.score is None else 100 * row.score
        values = [*(row.settings.get(key) for key in keys), score]
        heights = [
            math.nan if value is None else axis.height(value)
            for axis, value in zip(axes, values, strict=True)
        ]
        if score is None:
            style: dict[str, Any] = {"color": theme.light_colour("other"), "linestyle": "--"}
        else:
            width = 3.5 if score == best else 1.3
            style = {"color": colormaps[_COLOURS](share(score)), "linewidth": width}
        plot.plot(range(len(axes)), heights, marker="o", markersize=3.5, **style)
    _draw_axes(plot, axes)
    figure.savefig(str(path), dpi=120)


@dataclass(frozen=True)
class _Axis:
    """Where values lie on an axis from 0 to 1."""

    name: str
    categories: tuple[Any, ...] | None
    low: float
    high: float
    logarithmic: bool

    @classmethod
    def of(cls, name: str, values: Sequence[Any], logarithmic: frozenset[str]) -> _Axis:
        present = [value for value in values if value is not None]
        words = any(isinstance(value, str | bool) for value in present)
        if words or (name != _SCORE and 1 < len(set(present)) <= _MOST_LISTED):
            order = present if words else sorted(present)
            return cls(name, tuple(dict.fromkeys(map(_label, order))), 0.0, 1.0, False)
        low, high = min(present, default=0.0), max(present, default=1.0)
        return cls(name, None, float(low), float(high), name in logarithmic and low > 0)

    def height(self, value: Any) -> float:
        if self.categories is not None:
            return (self.categories.index(_label(value)) + 0.5) / len(self.categories)
        if self.low == self.high:
            return 0.5
        low, high, value = (self._scaled(each) for each in (self.low, self.high, float(value)))
        return (value - low) / (high - low)

    def ticks(self) -> list[tuple[float, str]]:
        """Heights and labels."""
        if self.categories is not None:
            return [(self.height(each), _short(each)) for each in self.categories]
        if self.low == self.high:
            return [(0.5, f"{self.low:.3g}")]
        low, high = self._scaled(self.low), self._scaled(self.high)
        steps = [low + (high - low) * index / (_TICKS - 1) for index in range(_TICKS)]
        values = [math.exp(step) if self.logarithmic else step for step in steps]
        return [(self.height(value), f"{value:.3g}") for value in values]

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value


def _draw_axes(plot: Axes, axes: Sequence[_Axis]) -> None:
    for place, axis in enumerate(axes):
        plot.axvline(place, color=theme.light_colour("line"), zorder=0)
        for height, label in axis.ticks():
            plot.annotate(
                label,
                (place, height),
                xytext=(-5, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=8,
                color=theme.light_colour("ink"),
                bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.75, "lw": 0},
            )
    plot.set_xticks(range(len(axes)), [axis.name.replace(".", ".\n") for axis in axes])
    plot.set_xlim(-0.5, len(axes) - 0.9)
    plot.set_ylim(-0.05, 1.05)
    plot.set_yticks([])
    for side in ("left", "right", "top", "bottom"):
        plot.spines[side].set_visible(False)
    plot.tick_params(axis="x", length=0)


def _label(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"
