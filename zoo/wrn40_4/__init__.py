"""WRN-40-4 (De et al. 2022): architecture, recipes and card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tfdpzoo.zoo.catalog import ZooEntry

if TYPE_CHECKING:
    import keras


def _load_builder() -> Callable[..., keras.Model]:
    # Imported on demand: the catalogue lists models without TensorFlow.
    from tfdpzoo.zoo.wrn40_4.architecture import wrn40_4

    return wrn40_4


ENTRY = ZooEntry(
    folder=Path(__file__).parent,
    description="Wide residual network of depth 40 with standardised convolutions",
    paper=(
        "De, Berrada, Hayes, Smith and Balle, Unlocking high-accuracy differentially private image "
        "classification through scale, 2022, https://arxiv.org/abs/2204.13650"
    ),
    load_builder=_load_builder,
    default_recipe="cifar10-eps8",
)
