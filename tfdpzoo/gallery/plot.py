"""Accuracy against epsilon: what is drawn, and the same as rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tfdpzoo.gallery.anchors import Anchor, published_anchors
from tfdpzoo.gallery.models import GalleryModel


@dataclass(frozen=True)
class Point:
    """A point of the plot.

    Attributes:
        label: The model with its version, or the published method.
        epsilon: Finite.
        delta: Of the guarantee.
        accuracy: The share of test images that are classified right.
        kind: `"model"`, `"invalid"` (a model without a valid guarantee) or `"published"`.
        page: The model's page; empty for what was published.
        source: Where a published number is stated, and what to know of it.
    """

    label: str
    epsilon: float
    delta: float
    accuracy: float
    kind: str
    page: str = ""
    source: str = ""


@dataclass(frozen=True)
class DataSetPlot:
    """The plot of one data set."""

    dataset: str
    points: tuple[Point, ...]


def data_set_plots(models: Sequence[GalleryModel]) -> tuple[DataSetPlot, ...]:
    """Returns a plot for each data set of which a model has an accuracy.

    Args:
        models: The gallery's models.

    Returns:
        The plots, that with most models first. Where there are none, those of published results.
    """
    points: dict[str, list[Point]] = {}
    for model in models:
        training = model.card.training if model.card else None
        point = _point(model)
        if training and point:
            points.setdefault(training.dataset, []).append(point)
    anchors = published_anchors()
    if not points:
        points = {name: [] for name in anchors}
    ordered = sorted(points, key=lambda name: (-len(points[name]), name))
    return tuple(
        DataSetPlot(name, (*points[name], *_published(anchors.get(name, ())))) for name in ordered
    )


def plot_data(plots: Sequence[DataSetPlot]) -> list[dict[str, Any]]:
    """Returns plots as values for JSON."""
    return [asdict(plot) for plot in plots]


def _point(model: GalleryModel) -> Point | None:
    card = model.card
    if card is None or card.accuracy is None or not math.isfinite(card.guarantee.epsilon):
        return None
    guarantee = card.guarantee
    return Point(
        label=card.title,
        epsilon=guarantee.epsilon,
        delta=guarantee.delta,
        accuracy=card.accuracy,
        kind="model" if guarantee.valid else "invalid",
        page=f"models/{model.registered.page}",
    )


def _published(anchors: Iterable[Anchor]) -> list[Point]:
    return [
        Point(
            label=anchor.method,
            epsilon=epsilon,
            delta=anchor.delta,
            accuracy=accuracy,
            kind="published",
            source="; ".join(filter(None, (anchor.source, anchor.note))),
        )
        for anchor in anchors
        for epsilon, accuracy in anchor.points
    ]
