"""The picture of a search: a line for each trial through its settings to its score."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdpzoo.cards.theme import light_colour
from tfdpzoo.durable_file import replacing
from tfdpzoo.tuning.trial_row import TrialRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

_SPACING, _HEIGHT = 1.6, 3.4
"""Between two axes, and of an axis, in inches."""
_LEFT, _RIGHT, _BOTTOM, _TOP, _LINE = 1.2, 1.25, 0.3, 0.7, 0.16
"""Margins for labels, and what each line of a setting's name adds at the top, in inches."""
_LEAST_WIDTH = 5.0
"""In inches; the title needs it."""
_SCORE = "score"
_NEAREST_LABELS = 0.045
"""A share of an axis; labels that are nearer to each other would overlap."""
_MOST_VALUES = 6
"""So many different numbers are labelled each, more of them by round numbers."""
_LONGEST_LINE, _LONGEST_LABEL = 18, 15
_ROOM_BELOW = 0.14
_MISSING = "not set"

Ticks = Sequence[tuple[float, str]]


def draw_parallel_coordinates(
    rows: Sequence[TrialRow], logarithmic: frozenset[str], path: str | Path
) -> None:
    """Draws trials as lines across one axis a setting; the last axis is the score.

    The best trial is drawn thick and on top. Crashed ones are dashed and end before the score. A
    trial that does not have a setting passes below the setting's axis.

    Args:
        rows: The trials.
        logarithmic: The settings whose axes are logarithmic.
        path: Where the PNG is written.
    """
    keys = list(dict.fromkeys(key for row in rows for key in row.settings))
    axes = [_Axis.of([row.settings.get(key) for row in rows], key in logarithmic) for key in keys]
    scores = [row.score for row in rows if row.score is not None]
    score_axis = _score_axis(scores)
    colours, best = _colours(), _best(rows)
    figure, plot = _empty_plot(keys, _title(rows, best))
    for place, (key, axis) in enumerate(zip(keys, axes, strict=True)):
        _draw_axis(plot, place, key, axis.ticks)
    _draw_axis(plot, _place_of_score(keys), _SCORE, [])
    # The best line comes last, so that it lies on top.
    for depth, row in enumerate(sorted(rows, key=lambda row: _from_worst(row, best))):
        heights = [axis.height(row.settings.get(key)) for key, axis in zip(keys, axes, strict=True)]
        if row.score is None:
            _draw_crashed(plot, heights, depth)
        else:
            places = [*range(len(keys)), _place_of_score(keys)]
            heights.append(score_axis.height(row.score))
            colour = colours(heights[-1])
            _draw_completed(plot, places, heights, colour, depth, row is best)
    if scores:
        _draw_colour_bar(figure, plot, colours, score_axis.ticks)
    with replacing(path) as stream:
        figure.savefig(stream, format="png", dpi=144)


@dataclass(frozen=True)
class _Axis:
    """Where values lie on an axis from 0 to 1.

    Attributes:
        place: From a value that is there to its height; below the others there is room for None.
        ticks: Heights and labels.
        lowest: Where the values begin.
    """

    place: Callable[[Any], float]
    ticks: Ticks
    lowest: float

    @classmethod
    def of(cls, values: Sequence[Any], logarithmic: bool = False) -> _Axis:
        present = [value for value in values if value is not None]
        lowest = _ROOM_BELOW if len(present) < len(values) else 0.0
        if all(map(_is_number, present)):
            place, ticks = _number_scale(present, logarithmic and all(each > 0 for each in present))
        else:
            place, ticks = _categories(present)
        raised = [(lowest + (1 - lowest) * height, label) for height, label in ticks]
        missing = [(0.0, _MISSING)] if lowest else []
        return cls(place, [*missing, *raised], lowest)

    def height(self, value: Any) -> float:
        if value is None:
            return 0.0
        return self.lowest + (1 - self.lowest) * self.place(value)


def _number_scale(
    values: Sequence[float], logarithmic: bool
) -> tuple[Callable[[float], float], Ticks]:
    if not values:
        return lambda value: 0.5, []
    scaled: Callable[[float], float] = math.log if logarithmic else float
    low, high = scaled(min(values)), scaled(max(values))

    def place(value: float) -> float:
        return 0.5 if low == high else (scaled(value) - low) / (high - low)

    return place, _apart([(place(each), _label(each)) for each in _marked(values, logarithmic)])


def _categories(values: Sequence[Any]) -> tuple[Callable[[Any], float], Ticks]:
    names = sorted({_text(value) for value in values})
    heights = {name: (index + 0.5) / len(names) for index, name in enumerate(names)}
    ticks = _apart([(height, _short(name)) for name, height in heights.items()])
    return lambda value: heights[_text(value)], ticks


def _score_axis(scores: Sequence[float]) -> _Axis:
    low, high = min(scores, default=0.0), max(scores, default=1.0)
    if low == high:
        low, high = low - 0.01, high + 0.01
    digits = max(0, 1 - math.floor(math.log10(100 * (high - low))))

    def place(score: float) -> float:
        return (score - low) / (high - low)

    marked = _round_numbers(low, high, logarithmic=False)
    return _Axis(place, [(place(each), f"{100 * each:.{digits}f}%") for each in marked], 0.0)


def _marked(values: Sequence[float], logarithmic: bool) -> Sequence[float]:
    different = sorted(set(values))
    if len(different) <= _MOST_VALUES:
        return different
    found = _round_numbers(different[0], different[-1], logarithmic)
    return found if len(found) > 1 else (different[0], different[-1])


def _round_numbers(low: float, high: float, logarithmic: bool) -> list[float]:
    from matplotlib.ticker import LogLocator, MaxNLocator

    found = MaxNLocator(5).tick_values(low, high)
    if logarithmic and high > 10 * low:
        within_decade = (1, 2, 5) if high < 1000 * low else (1,)
        found = LogLocator(subs=within_decade).tick_values(low, high)
    return [float(each) for each in found if low <= each <= high]


def _apart(ticks: Ticks) -> Ticks:
    """Leaves out labels that would lie on others; the first and the last one stay."""
    kept = list(ticks[:1])
    for height, label in ticks[1:-1]:
        if min(height - kept[-1][0], ticks[-1][0] - height) >= _NEAREST_LABELS:
            kept.append((height, label))
    return [*kept, *ticks[1:][-1:]]


def _place_of_score(keys: Sequence[str]) -> int:
    """Where the last axis stands; the plot has a width also where there is no other."""
    return max(len(keys), 1)


def _empty_plot(keys: Sequence[str], title: str) -> tuple[Figure, Axes]:
    """A plot with an axis of the picture in each whole number, and room for their names."""
    from matplotlib.figure import Figure

    lines = max(_in_lines(name).count("\n") + 1 for name in [*keys, _SCORE])
    across = _SPACING * _place_of_score(keys)
    width = max(_LEAST_WIDTH, _LEFT + across + _RIGHT)
    height = _BOTTOM + _HEIGHT + _TOP + _LINE * lines
    figure = Figure(figsize=(width, height))
    figure.text(
        0.35 / width,
        1 - 0.2 / height,
        title,
        va="top",
        fontsize=11,
        weight="bold",
        color=light_colour("ink"),
    )
    plot = figure.add_axes(
        (_LEFT / width, _BOTTOM / height, across / width, _HEIGHT / height),
        xlim=(0, _place_of_score(keys)),
        ylim=(0, 1),
    )
    plot.set_axis_off()
    return figure, plot


def _draw_axis(plot: Axes, place: int, name: str, ticks: Ticks) -> None:
    plot.plot([place, place], [0, 1], color=light_colour("ink"), lw=1, zorder=1, clip_on=False)
    plot.annotate(
        _in_lines(name),
        (place, 1),
        xytext=(0, 12),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=9,
        weight="bold",
        color=light_colour("ink"),
        parse_math=False,
    )
    for height, label in ticks:
        # Marker 0 is a tick to the left.
        plot.plot(place, height, marker=0, ms=4, color=light_colour("ink"), clip_on=False)
        plot.annotate(
            label,
            (place, height),
            xytext=(-7, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=8,
            style="italic" if label == _MISSING else "normal",
            color=light_colour("muted" if label == _MISSING else "ink"),
            bbox={
                "boxstyle": "square,pad=0.1",
                "facecolor": light_colour("surface"),
                "alpha": 0.85,
                "lw": 0,
            },
            parse_math=False,
            # Above all lines.
            zorder=1e6,
        )


def _draw_completed(
    plot: Axes,
    places: Sequence[int],
    heights: Sequence[float],
    colour: Any,
    depth: int,
    is_best: bool,
) -> None:
    above = 2 + depth
    width = 3.5 if is_best else 1.4
    if is_best:
        surface = light_colour("surface")
        _draw_line(plot, places, heights, zorder=above, color=surface, lw=width + 2.5)
    _draw_line(plot, places, heights, zorder=above, color=colour, lw=width)
    size = 46 if is_best else 12
    edge = light_colour("surface") if is_best else "none"
    plot.scatter(
        places, heights, s=size, color=colour, edgecolors=edge, zorder=above, clip_on=False
    )


def _draw_crashed(plot: Axes, heights: Sequence[float], depth: int) -> None:
    if not heights:
        return
    places, colour = range(len(heights)), light_colour("other")
    _draw_line(plot, places, heights, zorder=2 + depth, color=colour, lw=1.2, ls=(0, (4, 3)))
    end = (places[-1], heights[-1])
    plot.plot(*end, marker="x", ms=6, mew=1.6, color=colour, zorder=2 + depth, clip_on=False)


def _draw_line(plot: Axes, places: Sequence[int], heights: Sequence[float], **style: Any) -> None:
    """A line that crosses each axis at a right angle, so that it can be followed beyond it."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    points, codes = [(float(places[0]), heights[0])], [Curve.MOVETO]
    for left, (before, after) in zip(places, pairwise(heights), strict=False):
        points += [(left + 0.45, before), (left + 0.55, after), (left + 1.0, after)]
        codes += [Curve.CURVE4] * 3
    plot.add_patch(PathPatch(Curve(points, codes), fill=False, clip_on=False, **style))


def _colours() -> Colormap:
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    # The palest third could not be seen on white.
    return ListedColormap([colormaps["YlGnBu"](0.33 + 0.67 * step / 255) for step in range(256)])


def _draw_colour_bar(figure: Figure, plot: Axes, colours: Colormap, ticks: Ticks) -> None:
    """Beside the axis of the score, whose labels it has."""
    from matplotlib.cm import ScalarMappable

    inch = 1 / (_SPACING * plot.get_xlim()[1])
    bar = figure.colorbar(
        ScalarMappable(cmap=colours),
        cax=plot.inset_axes((1 + 0.16 * inch, 0, 0.13 * inch, 1)),
        ticks=[height for height, _ in ticks],
    )
    bar.ax.set_yticklabels([label for _, label in ticks], fontsize=8)
    bar.ax.tick_params(length=2, color=light_colour("muted"), labelcolor=light_colour("ink"))
    bar.outline.set_visible(False)


def _best(rows: Sequence[TrialRow]) -> TrialRow | None:
    scored = [row for row in rows if row.score is not None]
    return max(scored, key=lambda row: row.score or 0.0, default=None)


def _from_worst(row: TrialRow, best: TrialRow | None) -> tuple[bool, float]:
    return row is best, -math.inf if row.score is None else row.score


def _title(rows: Sequence[TrialRow], best: TrialRow | None) -> str:
    crashed = sum(row.score is None for row in rows)
    parts = [f"{len(rows)} trial" if len(rows) == 1 else f"{len(rows)} trials"]
    if crashed:
        parts.append(f"{crashed} crashed (dashed)")
    if best is not None and best.score is not None:
        parts.append(f"best {best.score:.2%}")
    return ", ".join(parts)


def _in_lines(name: str) -> str:
    """Breaks a long name behind dots and underscores."""
    parts = re.split(r"(?<=\.)", name)
    wrapped = [
        textwrap.wrap(part.replace("_", "_ "), _LONGEST_LINE, max_lines=3, placeholder="…")
        for part in parts
    ]
    return "\n".join(line.replace("_ ", "_") for lines in wrapped for line in lines)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _label(value: float) -> str:
    return f"{float(f'{value:.4g}'):g}" if isinstance(value, float) else f"{value:.6g}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _label(value) if _is_number(value) else str(value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_LABEL else f"{line[: _LONGEST_LABEL - 1]}…"
