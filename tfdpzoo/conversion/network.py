"""The Keras network of an exported model: built again by its recipe, with the released weights.

A SavedModel holds functions and weights, no layers. What is exported has its filters expanded, so
layers that make filters of fewer numbers become plain convolutions here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras

from tfdpzoo import toml
from tfdpzoo.conversion.agreement import Predict, compare
from tfdpzoo.conversion.original import Original
from tfdpzoo.data import Normalization
from tfdpzoo.data.tensorflow_datasets import published_normalization
from tfdpzoo.errors import InputError
from tfdpzoo.model_facts import ModelFacts
from tfdpzoo.preprocessing import take_pixels
from tfdpzoo.recipe import Recipe

NamedBuilder = Callable[..., keras.Model]
"""Builds an architecture from its name, `input_shape`, `classes` and arguments of its own."""

_PLAIN_NAMES = {"filters": "kernel", "biases": "bias"}
"""What expanded weights are called in a plain convolution."""


def rebuild(original: Original, builder: NamedBuilder) -> keras.Model:
    """Builds the network of an exported model, from pixels to logits.

    Args:
        original: The exported model.
        builder: Builds the architectures that recipes name, as `tfdpzoo.zoo.build` does.

    Returns:
        A Keras model with the released weights, not compiled.

    Raises:
        InputError: The model has no recipe, or what its recipe builds today is another network.
    """
    facts = ModelFacts.read(original.folder)
    if facts is None or facts.training is None:
        raise InputError(
            f"{original.folder} was exported without its recipe, so its Keras layers cannot be "
            "built again; keep the Keras model that it was exported from, or export to "
            "saved_model, onnx or tflite."
        )
    recipe = Recipe.from_dict(toml.parse_table(facts.training.recipe_text))
    inner = builder(
        recipe.model,
        input_shape=facts.input_shape,
        classes=facts.classes,
        **recipe.architecture,
    )
    plain = keras.models.clone_model(inner, clone_function=_without_expansion)
    _assign(plain, original)
    for normalization in _normalizations(facts.training.dataset, facts.input_shape[-1]):
        model = take_pixels(plain, normalization)
        if compare(original, keras_runtime(model), batch_sizes=(2,)).holds:
            return model
    raise _another_network(original, "with its weights it computes something else")


def keras_runtime(model: keras.Model) -> Predict:
    """Returns the function that a Keras model stands for.

    Args:
        model: From pixels to logits.
    """
    return lambda images: {"logits": model(images, training=False).numpy()}


def _without_expansion(layer: keras.layers.Layer) -> keras.layers.Layer:
    if hasattr(layer, "plain_convolution"):
        return layer.plain_convolution()
    return layer.__class__.from_config(layer.get_config())


def _assign(model: keras.Model, original: Original) -> None:
    """By their order; names beyond the last part are counted anew with each network."""
    released, variables = original.weights(), model.weights
    if len(released) != len(variables):
        counts = f"it has {len(variables)} weights and not {len(released)}"
        raise _another_network(original, counts)
    for (name, values), variable in zip(released, variables, strict=True):
        last = name.rpartition("/")[2]
        if _PLAIN_NAMES.get(last, last) != variable.name or values.shape != tuple(variable.shape):
            raise _another_network(
                original,
                f"its {variable.path} has shape {tuple(variable.shape)} where the model has {name} "
                f"of shape {values.shape}",
            )
        variable.assign(values)


def _normalizations(dataset: str, channels: int) -> Iterator[Normalization]:
    """By what a data set may be normalised: a folder may have the name of a known one."""
    published = published_normalization(dataset)
    if published is not None and len(published.mean) == channels:
        yield published
    yield Normalization.centered(channels)


def _another_network(original: Original, difference: str) -> InputError:
    return InputError(
        f"The recipe of {original.folder} builds another network today: {difference}; convert it "
        "with the version of tfdpzoo that exported it, or to saved_model, onnx or tflite."
    )


def custom_layers(model: keras.Model) -> list[str]:
    """Returns the layers of tfdpzoo in a model, which has to be installed to load it.

    Args:
        model: The model.
    """
    names = {keras.saving.get_registered_name(type(layer)) for layer in model._flatten_layers()}
    prefix = "tfdpzoo>"
    return sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix))
