"""Equivariant ResNet-9 (Hoelzl et al. 2023): architecture, recipes and card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tfdpzoo.zoo.catalog import ZooEntry

if TYPE_CHECKING:
    import keras


def _load_builder() -> Callable[..., keras.Model]:
    # Imported on demand: the catalogue lists models without TensorFlow.
    from tfdpzoo.zoo.equivariant_resnet9.architecture import equivariant_resnet9

    return equivariant_resnet9


ENTRY = ZooEntry(
    folder=Path(__file__).parent,
    description="Small residual CNN, equivariant to rotations and reflections of the image",
    paper=(
        "Hoelzl, Rueckert and Kaissis, Equivariant differentially private deep learning: Why "
        "DP-SGD needs sparser models, AISec 2023, https://arxiv.org/abs/2301.13104"
    ),
    load_builder=_load_builder,
    default_recipe="cifar10-eps8",
    cpu_recipe="cifar10-cpu",
)
