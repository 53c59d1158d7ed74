"""CNNs with tanh (Papernot et al. 2020; Tramer and Boneh 2021): architecture, recipes and card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tfdpzoo.zoo.catalog import ZooEntry

if TYPE_CHECKING:
    import keras


def _load_builder() -> Callable[..., keras.Model]:
    # Imported on demand: the catalogue lists models without TensorFlow.
    from tfdpzoo.zoo.tanh_cnn.architecture import tanh_cnn

    return tanh_cnn


ENTRY = ZooEntry(
    folder=Path(__file__).parent,
    description="Plain CNNs with tanh, small enough for a CPU",
    paper=(
        "Papernot, Thakurta, Song, Chien and Erlingsson, Tempered sigmoid activations for deep "
        "learning with differential privacy, AAAI 2021, https://arxiv.org/abs/2007.14191"
    ),
    load_builder=_load_builder,
    default_recipe="cifar10",
    cpu_recipe="mnist",
)
