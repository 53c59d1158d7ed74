"""The pictures of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import NullFormatter

from benchmarks.contenders import NOT_PRIVATE, OURS
from benchmarks.measurement import Measurement

_OURS, _PRIVATE, _NOT_PRIVATE = "tab:blue", "tab:gray", "lightgray"
_WIDTH, _HEIGHT_OF_A_ROW = 11, 3.6
_COLUMNS = 2


def draw_comparison(models: Mapping[str, Sequence[Measurement]], path: Path) -> None:
    """Draws the time of a step of every contender, the quickest on top, for each model.

    Args:
        models: The contenders by model.
        path: Where the PNG is written.
    """
    rows_of_axes = math.ceil(len(models) / _COLUMNS)
    figure = Figure(
        figsize=(_WIDTH, _HEIGHT_OF_A_ROW * rows_of_axes), layout=ConstrainedLayoutEngine(h_pad=0.1)
    )
    for index, (model, rows) in enumerate(models.items(), start=1):
        axes = figure.add_subplot(rows_of_axes, _COLUMNS, index)
        axes.set_title(f"{model}, {rows[0].batch} examples")
        seconds = {row.contender: row.median_seconds for row in rows if row.seconds}
        if seconds:
            _draw_bars(axes, seconds)
    figure.savefig(path, dpi=120)


def _draw_bars(axes: Axes, seconds: Mapping[str, float | None]) -> None:
    ordered = sorted(((value or 0, name) for name, value in seconds.items()), reverse=True)
    bars = axes.barh(
        [name for _, name in ordered],
        [value for value, _ in ordered],
        color=[_color(name) for _, name in ordered],
    )
    axes.bar_label(bars, [f"{value:.2g}" for value, _ in ordered], padding=3)
    axes.set_xscale("log")
    # Within one power of ten they would stand on top of each other.
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.15)
    axes.set_xlabel("seconds for a step (logarithmic)")
    axes.spines[["top", "right"]].set_visible(False)


def _color(contender: str) -> str:
    if contender == OURS.name:
        return _OURS
    return _NOT_PRIVATE if contender in NOT_PRIVATE.values() else _PRIVATE


def draw_growth(rows: Sequence[Measurement], path: Path) -> None:
    """Draws time and memory of our step against the batch.

    Args:
        rows: Our step at growing batches, and an ordinary step to compare the memory with.
        path: Where the PNG is written.
    """
    figure = Figure(figsize=(_WIDTH, _HEIGHT_OF_A_ROW), layout="constrained")
    time, memory = figure.subplots(1, 2)
    ours = [row for row in rows if row.contender == OURS.name and row.seconds]
    batches = [row.batch for row in ours]
    time.plot(batches, [row.median_seconds for row in ours], color=_OURS, marker="o")
    if batches:
        time.set_yscale("log")
    time.set_ylabel("seconds for a step")
    memory.plot(batches, [row.peak_mb for row in ours], color=_OURS, marker="o", label=OURS.name)
    for row in rows:
        if row.contender != OURS.name and row.peak_mb is not None:
            label = f"{row.contender}, {row.batch} examples"
            memory.axhline(row.peak_mb, color=_PRIVATE, linestyle="--", label=label)
    memory.margins(y=0.15)
    memory.set_ylim(bottom=0)
    memory.set_ylabel("peak memory in MB")
    memory.legend(loc="lower right")
    for axes in (time, memory):
        if batches:
            axes.set_xscale("log", base=2)
        axes.set_xticks(batches, [f"{batch:,}" for batch in batches])
        axes.set_xlabel("examples in the batch")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
