"""Exported models that conversions begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from stand_in import StandIn

from tfdpzoo.data import Normalization
from tfdpzoo.model_facts import TrainingFacts
from tfdpzoo.preprocessing import take_pixels
from tfdpzoo.saved_model import export
from tfdpzoo.zoo import catalog

CLASS_NAMES = ("apple", "bean", 'cress "wild"', "däikon", "<b>elder</b>")


def export_by_recipe(
    model: keras.Model,
    path: Path,
    *,
    name: str = "tanh_cnn",
    architecture: Mapping[str, Any] | None = None,
    dataset: str = "photographs",
    normalization: Normalization | None = None,
    class_names: Sequence[str] = CLASS_NAMES,
) -> Path:
    """Exports a network of normalised images as training does, with weights as after training."""
    outer = take_pixels(model, normalization or Normalization.centered(model.input_shape[-1]))
    random = np.random.default_rng(0)
    for variable in outer.trainable_variables:
        # No bias is 0 and no factor 1.
        step = 0.1 * (np.std(variable) or 1.0)
        variable.assign(variable.numpy() + step * random.normal(size=variable.shape))
    recipe = catalog.recipe("tanh_cnn").to_dict()
    recipe |= {"model": name, "architecture": dict(architecture or {}), "sources": {}}
    text = catalog.Recipe.from_dict(recipe).to_toml()
    training = TrainingFacts(name, "test", text, dataset, 1.0, (), ((1,),))
    return export(StandIn(outer), path, class_names=class_names, training=training)
