from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfdpzoo.learning_curve import draw_learning_curve
from tfdpzoo.metrics_log import EpochRow

ROW = EpochRow(
    epoch=1,
    updates=10,
    epsilon=2.0,
    training_loss=1.0,
    training_accuracy=0.5,
    test_loss=1.0,
    test_accuracy=0.5,
    learning_rate=0.1,
    seconds=1.0,
    examples_per_second=100.0,
)
_BLUE, _ORANGE = (31, 119, 180), (255, 127, 14)


def _rows(epochs: int, epsilon: float | None) -> list[EpochRow]:
    return [
        dataclasses.replace(
            ROW, epoch=epoch, updates=10 * epoch, epsilon=epsilon and epoch * epsilon
        )
        for epoch in range(1, epochs + 1)
    ]


def _pixels_of(path: Path, color: tuple[int, int, int]) -> int:
    image = np.asarray(Image.open(path).convert("RGB")).astype(int)
    # The plot's own area; the labels beside it have the colours of the lines.
    inside = image[35:-70, 90:-90]
    return int((np.abs(inside - color).max(axis=2) < 30).sum())


@pytest.mark.parametrize("epochs", [1, 5])
def test_accuracy_and_epsilon_are_drawn(tmp_path: Path, epochs: int) -> None:
    path = tmp_path / "curve.png"

    draw_learning_curve(_rows(epochs, 2.0), "a run", path)

    assert _pixels_of(path, _BLUE) > 20
    assert _pixels_of(path, _ORANGE) > 20


def test_without_privacy_there_is_no_epsilon(tmp_path: Path) -> None:
    path = tmp_path / "curve.png"

    draw_learning_curve(_rows(5, None), "a run", path)

    assert _pixels_of(path, _BLUE) > 20
    assert _pixels_of(path, _ORANGE) == 0
