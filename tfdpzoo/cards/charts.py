"""The charts of a card: learning curve, epsilon as a function of delta, confusion matrix."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfdpzoo.cards import formatting, theme
from tfdpzoo.cards.picture import Picture
from tfdpzoo.model_facts import TrainingFacts
from tfdpzoo.privacy.guarantee import PrivacyGuarantee

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FONTS = ["Segoe UI", "Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans"]
_IDENTIFIER = re.compile(r'(\bid="|href="#|url\(#)')
_MOST_NUMBERED_CLASSES = 20
_MOST_NAMED_CLASSES = 60


def draw_learning_curve(training: TrainingFacts) -> Picture | None:
    """Draws the accuracy on test images, and epsilon below it, against the updates.

    Args:
        training: What is known of the training.

    Returns:
        The picture; None where no epoch was recorded.
    """
    curve = training.curve
    if not curve:
        return None
    figure = _figure(5.2, 4.0)
    accuracy, spent = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    updates = [point.updates for point in curve]
    marker = "o" if len(curve) == 1 else ""
    accuracies = [100 * point.test_accuracy for point in curve]
    accuracy.plot(updates, accuracies, color=theme.light_colour("accent"), marker=marker)
    accuracy.set_ylabel("test accuracy in %")
    spent.plot(
        updates, [point.epsilon for point in curve], color=theme.light_colour("warm"), marker=marker
    )
    spent.set_ylabel("epsilon spent")
    spent.set_ylim(bottom=0)
    spent.set_xlabel("updates")
    last = curve[-1]
    text = (
        f"Learning curve over {last.updates:,} updates: the accuracy on test images goes from "
        f"{formatting.percent(curve[0].test_accuracy)} to {formatting.percent(last.test_accuracy)} "
        f"while epsilon grows from {formatting.epsilon(curve[0].epsilon)} to "
        f"{formatting.epsilon(last.epsilon)}."
    )
    return _picture("learning-curve", figure, [accuracy, spent], text)


def draw_epsilon_of_delta(guarantee: PrivacyGuarantee) -> Picture | None:
    """Draws the epsilon that holds at each recorded delta.

    Args:
        guarantee: The record.

    Returns:
        The picture; None where no finite epsilon is recorded.
    """
    points = sorted(
        (point.delta, point.epsilon) for point in guarantee.curve if np.isfinite(point.epsilon)
    )
    if not points:
        return None
    figure = _figure(5.2, 3.0)
    axes = figure.subplots()
    deltas, epsilons = zip(*points, strict=True)
    axes.plot(deltas, epsilons, color=theme.light_colour("accent"), marker="o", markersize=4)
    axes.plot(
        [guarantee.delta],
        [guarantee.epsilon],
        color=theme.light_colour("warm"),
        marker="o",
        markersize=8,
        linestyle="",
        label="stated",
    )
    axes.legend(frameon=False, labelcolor=theme.light_colour("ink"))
    axes.set_xscale("log")
    axes.set_xlabel("delta")
    axes.set_ylabel("epsilon")
    axes.set_ylim(bottom=0)
    text = (
        f"Epsilon as a function of delta: from {formatting.epsilon(epsilons[-1])} at delta "
        f"{formatting.delta(deltas[-1])} to {formatting.epsilon(epsilons[0])} at delta "
        f"{formatting.delta(deltas[0])}; stated is {formatting.epsilon(guarantee.epsilon)} at "
        f"{formatting.delta(guarantee.delta)}."
    )
    return _picture("epsilon-of-delta", figure, [axes], text)


def draw_confusion(training: TrainingFacts, class_names: Sequence[str]) -> Picture | None:
    """Draws how many test images of each class were taken for each class.

    Args:
        training: What is known of the training.
        class_names: Of all classes, in order.

    Returns:
        The picture; None where there are no test images.
    """
    counts = np.asarray(training.confusion)
    if counts.ndim != 2 or not counts.sum():
        return None
    classes = len(counts)
    side = min(3.2 + 0.36 * classes, 9.0)
    figure = _figure(side + 0.6, side)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(_tinted(shares), interpolation="nearest")
    axes.set_xlabel("taken for")
    axes.set_ylabel("class")
    if classes <= _MOST_NAMED_CLASSES:
        names = [_short(name) for name in class_names]
        axes.set_xticks(range(classes), names, rotation=90 if max(map(len, names)) > 2 else 0)
        axes.set_yticks(range(classes), names)
    if classes <= _MOST_NUMBERED_CLASSES:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=8)
    right = int(np.trace(counts))
    text = (
        f"Confusion matrix of {classes} classes on {counts.sum():,} test images, of which "
        f"{right:,} are on the diagonal, which is right."
    )
    return _picture("confusion-matrix", figure, [], text)


def _tinted(shares: np.ndarray) -> np.ndarray:
    """Colours of the cells: the accent for what is right, a warm one for what is not."""
    right = np.eye(len(shares), dtype=bool)[..., None]
    tint = np.where(right, _rgb("accent"), _rgb("warm"))
    strength = 0.55 * np.sqrt(shares)[..., None]
    return 1 - strength * (1 - tint)


def _rgb(name: str) -> np.ndarray:
    value = theme.light_colour(name)
    return np.array([int(value[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def _short(name: str) -> str:
    """A name for an axis, on which matplotlib is not to read mathematics."""
    name = name if len(name) <= 16 else f"{name[:15]}…"
    return name.replace("$", r"\$")


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="none")


def _picture(name: str, figure: Figure, axes: Sequence[Any], text: str) -> Picture:
    """Writes a figure in the page's colours."""
    import matplotlib

    for each in axes:
        each.grid(color=theme.light_colour("line"), linewidth=0.7)
        each.spines[["top", "right"]].set_visible(False)
    for each in figure.axes:
        each.set_facecolor("none")
        each.spines[:].set_color(theme.light_colour("line"))
        each.tick_params(colors=theme.light_colour("muted"), labelsize=10)
        for label in (each.xaxis.label, each.yaxis.label):
            label.set_color(theme.light_colour("muted"))
    stream = io.StringIO()
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.family": "sans-serif",
        "font.sans-serif": _FONTS,
    }
    with matplotlib.rc_context(settings):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return Picture(name, _in_page(stream.getvalue(), name, text), text)


def _in_page(svg: str, name: str, text: str) -> str:
    """An SVG that can stand in a page beside others: no prologue, identifiers of its own."""
    from markupsafe import escape

    svg = svg[svg.index("<svg") :]
    svg = _IDENTIFIER.sub(rf"\g<1>{name}-", svg)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(text)}"', 1)
    for colour in ("ink", "muted", "line", "accent", "warm"):
        svg = svg.replace(theme.light_colour(colour), theme.colour(colour))
    return svg
