"""SmoothNet (Remerscheid et al. 2022): architecture, recipes and card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tfdpzoo.zoo.catalog import ZooEntry

if TYPE_CHECKING:
    import keras


def _load_builder() -> Callable[..., keras.Model]:
    # Imported on demand: the catalogue lists models without TensorFlow.
    from tfdpzoo.zoo.smoothnet.architecture import smoothnet

    return smoothnet


ENTRY = ZooEntry(
    folder=Path(__file__).parent,
    description="Wide, shallow, densely connected CNN for training with differential privacy",
    paper=(
        "Remerscheid, Ziller, Rueckert and Kaissis, SmoothNets: Optimizing CNN architecture design "
        "for differentially private deep learning, 2022, https://arxiv.org/abs/2205.04095"
    ),
    load_builder=_load_builder,
    default_recipe="paper",
    cpu_recipe="cifar10-cpu",
)
