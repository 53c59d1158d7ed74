"""Export: a private model becomes a SavedModel that carries its own guarantee."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.replicas import one_copy
from tfdpzoo.errors import InputError
from tfdpzoo.model_facts import ModelFacts, TrainingFacts
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.version_folder import (
    CLASSES_FILE,
    check_destination,
    next_version,
    weights_digest,
    write_privacy_file,
)
from tfdpzoo.version_writing import publish, staged

if TYPE_CHECKING:
    from tfdpzoo.dpsgd.model import PrivateModel

_HALVES = ("bfloat16", "float16")
_REQUESTS = tf.TensorSpec([None], tf.string, name="requests")

__all__ = ["check_destination", "export", "next_version"]


def export(
    private: PrivateModel,
    path: str | Path,
    *,
    guarantee: PrivacyGuarantee | None = None,
    class_names: Sequence[str] | None = None,
    training: TrainingFacts | None = None,
) -> Path:
    """Writes the released weights as a SavedModel that carries its privacy guarantee.

    The signature `serving_default` takes `images` (float32, `[batch, height, width, channels]`, raw
    pixels from 0 to 255, at least one image: TensorFlow's convolutions give none a wrong shape) and
    returns `logits` and `probabilities` in float32, whatever precision trained. The signature
    `privacy_guarantee` takes nothing and returns `json`, the record. TensorFlow Serving's REST API
    cannot call a signature without inputs, so `privacy_guarantee_rest` takes `requests`, any texts,
    and returns the same record for each of them. The folder's `assets.extra/privacy.json` holds it
    too, with the digests of the files, and `assets.extra/model.json` what a model card needs. The
    result needs TensorFlow alone: neither Keras nor tfdpzoo.

    Filters that a layer makes of fewer numbers are written as they are used, so that a group
    convolution is served at the speed of a plain one.

    The version appears as a whole or not at all: it is written in a hidden folder beside its place,
    flushed to the disk and renamed.

    Args:
        private: The trained model.
        path: The version's folder, `saved_models/NAME/VERSION` with VERSION a whole number if
            TensorFlow Serving is to find it. Missing parents are made.
        guarantee: What to state; by default `private.guarantee()`.
        class_names: The names of the classes in the order of the logits.
        training: How the model was trained, for its card.

    Returns:
        `path`.

    Raises:
        VersionTakenError: The path exists, perhaps since a moment ago, or was removed.
        InputError: The path cannot be written, or the model cannot be served: its input
            is not one batch of images, its outputs are not logits, or the names do not match them.

    Example:
        >>> export(private, "saved_models/smoothnet/1")  # doctest: +SKIP
    """
    path = Path(path)
    check_destination(path)
    guarantee = guarantee or private.guarantee()
    with (
        private.released_weights(),
        one_copy(private.model),
        _float32_layers(private.model),
        _baked_filters(private.model) as weights,
    ):
        served = _ServedModel(private.model, weights, guarantee)
        _check_class_names(class_names, served.classes)
        facts = ModelFacts.of(private.model, _input_shape(private.model), served.classes, training)
        with _appearing_at_once(path) as folder:
            tf.saved_model.save(served, str(folder), signatures=served.signatures())
            (folder / CLASSES_FILE).parent.mkdir()
            facts.write(folder)
            if class_names is not None:
                (folder / CLASSES_FILE).write_text(json.dumps(list(class_names)) + "\n")
            write_privacy_file(folder, served.guarantee)
    return path


class _ServedModel(tf.Module):
    """What is written: weights by name, and functions of them. Nothing of Keras is tracked."""

    def __init__(
        self, model: keras.Model, weights: list[keras.Variable], guarantee: PrivacyGuarantee
    ) -> None:
        super().__init__()
        shape = _input_shape(model)
        _check_logits(model)
        variables = [(variable.path, variable.value) for variable in weights]
        self.weights = {f"{i:06d}/{name}": value for i, (name, value) in enumerate(variables)}
        digest = weights_digest((name, value.numpy()) for name, value in self.weights.items())
        self.guarantee = guarantee.with_weights(digest)

        record = self.guarantee.to_json()
        images = tf.TensorSpec([None, *shape], tf.float32, name="images")

        @tf.function(input_signature=[images], autograph=False)
        def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
            logits = tf.cast(model(images, training=False), tf.float32)
            return {"logits": logits, "probabilities": tf.nn.softmax(logits)}

        @tf.function(input_signature=[], autograph=False)
        def privacy_guarantee() -> dict[str, tf.Tensor]:
            return {"json": tf.constant(record)}

        @tf.function(input_signature=[_REQUESTS], autograph=False)
        def privacy_guarantee_rest(requests: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"json": tf.fill(tf.shape(requests), record)}

        self.serve = serve
        self.privacy_guarantee = privacy_guarantee
        self.privacy_guarantee_rest = privacy_guarantee_rest
        self.classes = self._traced_classes()

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        return {
            "serving_default": self.serve.get_concrete_function(),
            "privacy_guarantee": self.privacy_guarantee.get_concrete_function(),
            "privacy_guarantee_rest": self.privacy_guarantee_rest.get_concrete_function(),
        }

    def _traced_classes(self) -> int:
        """Traces the model and returns how many classes it tells apart."""
        traced = self.serve.get_concrete_function()
        released = {id(value) for value in self.weights.values()}
        others = [each.name for each in traced.variables if id(each) not in released]
        if others:
            raise InputError(
                f"The model reads {others[0]}, which is not one of its weights, so no digest would "
                "cover it; make it a weight of its layer."
            )
        shape = traced.structured_outputs["logits"].shape
        if shape.rank != 2 or shape[1] is None:
            raise InputError(
                f"The model's output has shape {shape}; logits, (batch, classes), are needed."
            )
        return shape[1]


def _input_shape(model: keras.Model) -> tuple[int, ...]:
    """The shape of one image. A subclassed model knows it only from what it was built with."""
    try:
        shape = model.input_shape
    except (AttributeError, ValueError):
        shape = (model.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, tuple) or len(shape) != 4 or None in shape[1:]:
        raise InputError(
            f"A model with the input shape {shape} cannot be served as an image classifier; build "
            "it for one batch of images, (batch, height, width, channels), of a fixed size."
        )
    return shape[1:]


def _check_logits(model: keras.Model) -> None:
    """Refuses a functional model whose last layer is a softmax or sigmoid; others are not known."""
    if not getattr(model, "outputs", None):
        return
    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    activations = (keras.activations.softmax, keras.activations.sigmoid)
    if isinstance(last, keras.layers.Softmax) or activation in activations:
        raise InputError(
            f"The model ends in probabilities (layer {last.name}), but logits are needed: export "
            "adds the softmax itself. Train without it, with a loss that has from_logits=True."
        )


def _check_class_names(class_names: Sequence[str] | None, classes: int) -> None:
    if class_names is not None and len(class_names) != classes:
        raise InputError(f"There are {len(class_names)} class names for {classes} classes.")


@contextlib.contextmanager
def _float32_layers(model: keras.Model) -> Iterator[None]:
    """Lets every layer compute in float32 while its function is traced.

    bfloat16 is a way to train fast. Served, it would lose accuracy, and be slow or unknown on
    processors and runtimes without it.
    """
    layers = [each for each in model._flatten_layers() if each.compute_dtype in _HALVES]
    policies = [each.dtype_policy for each in layers]
    try:
        for layer in layers:
            layer.dtype_policy = "float32"
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy


@contextlib.contextmanager
def _baked_filters(model: keras.Model) -> Iterator[list[keras.Variable]]:
    """Lets layers that make their filters of fewer numbers (`baked`) make them once.

    Gives the model's weights with those filters in place of what they were made of: they are
    computed from released weights alone, and it is them that are served and must have a digest.
    """
    weights = list(model.weights)
    layers = {id(layer): layer for layer in model._flatten_layers() if hasattr(layer, "baked")}
    with contextlib.ExitStack() as stack:
        for layer in layers.values():
            own = {id(variable) for variable in layer.weights}
            first = next(i for i, variable in enumerate(weights) if id(variable) in own)
            weights[first:first] = stack.enter_context(layer.baked())
            weights = [variable for variable in weights if id(variable) not in own]
        yield weights


@contextlib.contextmanager
def _appearing_at_once(path: Path) -> Iterator[Path]:
    """Gives a hidden folder beside `path` that becomes `path` if all goes well.

    Otherwise nothing is left, not even parents that were missing before.
    """
    try:
        with staged(path.parent) as folder:
            yield folder
            publish(folder, path)
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "message", str(error))
        raise InputError(f"{path} cannot be written: {reason}.") from error
