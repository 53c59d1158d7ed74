"""ResNet-9 with ScaleNorm (Klause et al. 2022): architecture, recipes and card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tfdpzoo.zoo.catalog import ZooEntry

if TYPE_CHECKING:
    import keras


def _load_builder() -> Callable[..., keras.Model]:
    # Imported on demand: the catalogue lists models without TensorFlow.
    from tfdpzoo.zoo.resnet9.architecture import resnet9

    return resnet9


ENTRY = ZooEntry(
    folder=Path(__file__).parent,
    description="Short residual network with a normalisation after each residual sum (ScaleNorm)",
    paper=(
        "Klause, Ziller, Rueckert, Hammernik and Kaissis, Differentially private training of "
        "residual networks with scale normalisation, 2022, https://arxiv.org/abs/2203.00324"
    ),
    load_builder=_load_builder,
    default_recipe="cifar10-eps8",
    cpu_recipe="cifar10-cpu",
)
