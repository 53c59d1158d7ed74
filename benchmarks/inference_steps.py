"""Inference of exported models: a group convolution's filters against those of a plain one."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from benchmarks.training_step import CLIP_NORM, NOISE_MULTIPLIER, StepSettings, TrainingStep
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.layers import GroupConv2D, GroupRestriction, LiftingConv2D
from tfdpzoo.saved_model import export


def exported(settings: StepSettings) -> TrainingStep:
    """The model as it is exported."""
    return _step(settings, settings.benchmarked_model.build("keras"))


def plain(settings: StepSettings) -> TrainingStep:
    """The same network with a plain convolution of the same shape in place of every group one."""
    return _step(settings, plain_twin(settings.benchmarked_model.build("keras")))


def plain_twin(model: keras.Model) -> keras.Model:
    """Returns a copy of a model with plain convolutions, whose filters are drawn anew.

    The order that a restriction gives to channels is left out as well: a plain network has none.
    """
    return keras.models.clone_model(model, clone_function=_plain_layer)


def _plain_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, GroupRestriction):
        return keras.layers.Activation("linear", name=layer.name)
    if not isinstance(layer, LiftingConv2D | GroupConv2D):
        return type(layer).from_config(layer.get_config())
    return keras.layers.Conv2D(
        layer.fields * layer.expansion.group.order,
        layer.kernel_size,
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        activation=layer.activation,
        use_bias=layer.use_bias,
        name=layer.name,
    )


def _step(settings: StepSettings, model: keras.Model) -> TrainingStep:
    """Calls the signature that TensorFlow Serving calls."""
    with exported_folder(model) as path:
        loaded = tf.saved_model.load(str(path))
    serve: Any = loaded.signatures["serving_default"]
    images = tf.constant(settings.benchmarked_model.random_examples(settings.batch)[0])

    def run() -> None:
        serve(images=images)["logits"].numpy()

    return TrainingStep(run, model.count_params())


@contextlib.contextmanager
def exported_folder(model: keras.Model) -> Iterator[Path]:
    """Gives the folder of an exported version of a model, for the `with` block."""
    plan = PrivacyPlan.from_noise_multiplier(
        noise_multiplier=NOISE_MULTIPLIER,
        delta=1e-3,
        examples=100,
        batch_size=10,
        updates=1,
        clip_norm=CLIP_NORM,
    )
    with tempfile.TemporaryDirectory() as folder:
        yield export(PrivateModel(model, plan), Path(folder) / "1")
