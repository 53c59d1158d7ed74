"""The picture of a run: accuracy and epsilon against updates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfdpzoo.metrics_log import EpochRow


def draw_learning_curve(rows: Sequence[EpochRow], title: str, path: str | Path) -> None:
    """Draws test accuracy and, for a private run, the epsilon spent so far.

    Args:
        rows: The epochs of a run, at least one.
        title: What the picture is of.
        path: Where the PNG is written.
    """
    from matplotlib.figure import Figure

    updates = [row.updates for row in rows]
    # A line through one point cannot be seen.
    marker = "o" if len(rows) == 1 else ""
    figure = Figure(figsize=(7, 4), layout="constrained")
    accuracy = figure.subplots()
    percentages = [100 * row.test_accuracy for row in rows]
    accuracy.plot(updates, percentages, color="tab:blue", marker=marker)
    accuracy.set_xlabel("updates")
    accuracy.set_ylabel("test accuracy in %", color="tab:blue")
    accuracy.grid(alpha=0.3)
    accuracy.set_title(title)
    spent = [row.epsilon for row in rows if row.epsilon is not None]
    if spent:
        privacy = accuracy.twinx()
        privacy.plot(updates, spent, color="tab:orange", marker=marker)
        privacy.set_ylabel("epsilon spent", color="tab:orange")
        privacy.set_ylim(bottom=0)
    figure.savefig(str(path), dpi=120)
