"""Refuses models whose layers mix examples: clipping then bounds no one's influence."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from tfdpzoo.dpsgd.per_example import PerExampleLoss, differentiate
from tfdpzoo.errors import InputError

_PROBES = 4
_UNKNOWN_SIDE = 32
_SEED = 20220509

# Rounding may depend on the place of a row in a batch; mixing moves outputs by far more than this.
_SAME = 1e-3
_EQUAL_GRADIENTS = 1e-3


def require_private_trainable(model: keras.Model) -> None:
    """Checks that a model can be trained with per-example clipping.

    The layers are walked for known offenders, and the model is probed: moving one example of a
    batch must not move the output for another, neither in value nor in gradient, and a training
    pass must not change any state.

    Args:
        model: A built model with one input and one output.

    Raises:
        InputError: With every reason that was found, and what to use instead.
    """
    problems = [*_problems_of_policy(model), *_problems_of_layers(model)]
    if not problems:
        problems = [*_problems_of_probe(model)]
    if problems:
        raise InputError(
            f"{model.name} cannot be trained with differential privacy: " + " ".join(problems)
        )


def require_equal_gradients(model: keras.Model, loss: PerExampleLoss, labels: np.ndarray) -> None:
    """Checks on random images that the engine's gradients add up to the ordinary gradient.

    It would find a variable that is used outside of its own layer's call, which the engine cannot
    see.

    Args:
        model: The model that is trained.
        loss: Its per-example loss.
        labels: At least two labels of the right form.

    Raises:
        InputError: The gradients differ.
    """
    images = probe_images(model)[: len(labels)]
    labels = tf.convert_to_tensor(labels[: len(images)])
    ones = tf.ones(len(images))
    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(loss(labels, model(images, training=False)))
    expected = tape.gradient(total, variables, unconnected_gradients="zero")
    gradients = differentiate(model, loss, images, labels, training=False).gradients
    for variable, gradient, reference in zip(
        model.trainable_variables, gradients, expected, strict=True
    ):
        reference = tf.convert_to_tensor(reference)
        error = tf.norm(gradient.weighted_sum(ones) - reference)
        if not error <= _EQUAL_GRADIENTS * (1e-3 + tf.norm(reference)):
            raise InputError(
                f"The fast engine cannot see every use of the variable {variable.path} in "
                f"{model.name}; it may be used outside of its own layer. Train with "
                'engine="tf-privacy", or let each layer use its own variables only.'
            )


def require_isolated_losses(loss: PerExampleLoss, classes: int, labels: np.ndarray) -> None:
    """Checks that one example's prediction does not move another's loss.

    Args:
        loss: A per-example loss.
        classes: Width of the predictions.
        labels: At least two labels of the right form.

    Raises:
        InputError: It does, or there is no loss for each example.
    """
    predictions = np.random.default_rng(_SEED).uniform(0.1, 0.9, (len(labels), classes))
    moved = predictions.copy()
    moved[0] = moved[0, ::-1] * 0.5
    before, after = (loss(tf.convert_to_tensor(labels), p) for p in (predictions, moved))
    if before.shape != (len(labels),) or not np.allclose(before[1:], after[1:], rtol=_SAME):
        raise InputError(
            "The loss mixes examples: one example's prediction moves another's loss, so that "
            "clipping bounds no one's influence. Use a loss of each example alone."
        )


def _problems_of_policy(model: keras.Model) -> Iterator[str]:
    policies = {layer.dtype_policy.name for layer in _walk(model)}
    if "mixed_float16" in policies or "float16" in policies:
        yield (
            "It computes in float16, whose loss scaling happens before clipping; use float32 or "
            "mixed_bfloat16."
        )


def _problems_of_layers(model: keras.Model) -> Iterator[str]:
    for layer in _walk(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            yield (
                f"The layer {layer.name} ({type(layer).__name__}) normalises over the batch, so "
                "every example moves the gradients of all others; use GroupNormalization."
            )
        if getattr(layer, "activity_regularizer", None) is not None:
            yield (
                f"The layer {layer.name} adds a loss of the whole batch by its "
                "activity_regularizer; leave it out."
            )


def _walk(model: keras.Model) -> Iterator[keras.layers.Layer]:
    seen = set()
    for layer in model._flatten_layers():
        if id(layer) not in seen:
            seen.add(id(layer))
            yield layer


def _problems_of_probe(model: keras.Model) -> Iterator[str]:
    images = probe_images(model)
    state = [variable.numpy() for variable in _training_state(model)]
    mixing = _mixes_in_value(model, images) or _mixes_in_gradient(model, images)
    changed = [
        variable.path
        for variable, before in zip(_training_state(model), state, strict=True)
        if not np.array_equal(variable.numpy(), before)
    ]
    for variable, before in zip(_training_state(model), state, strict=True):
        variable.assign(before)
    if mixing:
        yield (
            "It mixes examples: changing one image of a batch moves the output for another. Every "
            "layer must treat each example on its own."
        )
    if changed:
        yield (
            f"A training pass changes the state {', '.join(changed)}, which would leak examples "
            "past the noise; use layers without such state."
        )
    if model.losses and not _only_weight_losses(model):
        yield "It adds a loss in its call (add_loss), which is not clipped; leave it out."


def _training_state(model: keras.Model) -> list[keras.Variable]:
    """Variables that are not trained, without the counters of random generators."""
    generators = {
        id(state)
        for layer in _walk(model)
        for generator in getattr(layer, "_seed_generators", ())
        for state in [generator.state]
    }
    return [v for v in model.non_trainable_variables if id(v) not in generators]


def _only_weight_losses(model: keras.Model) -> bool:
    of_weights = sum(variable.regularizer is not None for variable in model.trainable_variables)
    return len(model.losses) <= of_weights


def _mixes_in_value(model: keras.Model, images: tf.Tensor) -> bool:
    moved = tf.concat([3.0 * images[:1] + 1.0, images[1:]], axis=0)
    before, after = model(images, training=False), model(moved, training=False)
    return _differ(before[1:], after[1:])


def _mixes_in_gradient(model: keras.Model, images: tf.Tensor) -> bool:
    """Whether the last example's output has a gradient at another's image, in training."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        output = tf.reduce_sum(tf.square(model(images, training=True)[-1]))
    gradient = tape.gradient(output, images, unconnected_gradients="zero")
    own = tf.norm(gradient[-1])
    return bool(tf.norm(gradient[:-1]) > _SAME * (own + 1e-12))


def _differ(before: tf.Tensor, after: tf.Tensor) -> bool:
    scale = tf.reduce_max(tf.abs(before)) + 1e-6
    return bool(tf.reduce_max(tf.abs(before - after)) > _SAME * scale)


def probe_images(model: keras.Model) -> tf.Tensor:
    """Returns a few random images of the shape that a model takes.

    Raises:
        InputError: The model was not built yet, or has more than one input or output.
    """
    if not model.built:
        raise InputError(f"{model.name} has no weights yet; call it once on a batch of images.")
    if len(getattr(model, "inputs", "1")) != 1 or len(getattr(model, "outputs", "1")) != 1:
        raise InputError(
            f"{model.name} must have one input and one output to be trained privately."
        )
    sides = [side or _UNKNOWN_SIDE for side in _input_shape(model)[1:]]
    values = np.random.default_rng(_SEED).normal(size=(_PROBES, *sides))
    return tf.constant(values, tf.float32)


def _input_shape(model: keras.Model) -> tuple[int | None, ...]:
    """The shape of a batch; a subclassed model knows it only from what it was built with."""
    if hasattr(model, "inputs"):
        return tuple(model.inputs[0].shape)
    shape = (model.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, tuple):
        raise InputError(
            f"The shape of {model.name}'s input is not known; call it once on a batch of images."
        )
    return shape
