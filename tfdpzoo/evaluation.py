"""Evaluation of an exported model, with nothing but its SavedModel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfdpzoo.data.indexed import IndexedImages, in_blocks
from tfdpzoo.errors import InputError
from tfdpzoo.version_folder import find_version


@dataclass(frozen=True)
class Evaluation:
    """How good a model is on labelled images.

    Attributes:
        accuracy: The share of images whose largest logit is the label's.
        loss: Mean cross-entropy in nats.
        examples: How many images.
        per_class_accuracy: The accuracy on the images of each class; None for a class without any.
    """

    accuracy: float
    loss: float
    examples: int
    per_class_accuracy: tuple[float | None, ...]


def evaluate_saved_model(
    path: str | Path,
    images: np.ndarray | IndexedImages,
    labels: np.ndarray,
    batch_size: int = 256,
) -> Evaluation:
    """Measures an exported model on test images.

    Args:
        path: A version's folder, or a model's folder, of which the newest version is taken.
        images: Raw pixels from 0 to 255, `[examples, height, width, channels]`, as the model's
            signature takes them: an array, or images that are read by index.
        labels: Class numbers, integers, `[examples]`.
        batch_size: Images at a time; the result does not depend on it.

    Returns:
        The evaluation.

    Raises:
        InputError: There is no such model at `path`, images and labels do not fit it, or an image
            cannot be read.

    Example:
        >>> evaluate_saved_model("saved_models/smoothnet", images, labels)  # doctest: +SKIP
        Evaluation(accuracy=0.972, loss=0.118, examples=360, per_class_accuracy=(...))
    """
    images = images if isinstance(images, IndexedImages) else np.asarray(images)
    labels = np.asarray(labels)
    _model, serve = _load(find_version(path))
    _check(images, labels, serve, batch_size)
    batches = (block.astype(np.float32) for block in in_blocks(images, batch_size))
    logits = np.concatenate([serve(images=tf.constant(batch))["logits"] for batch in batches])
    correct = logits.argmax(axis=1) == labels
    classes = logits.shape[1]
    return Evaluation(
        accuracy=float(correct.mean()),
        loss=_cross_entropy(logits, labels),
        examples=len(images),
        per_class_accuracy=tuple(_share(correct[labels == each]) for each in range(classes)),
    )


def _load(folder: Path) -> tuple[Any, Any]:
    """Loads the model; its function works only as long as the model is kept."""
    try:
        loaded = tf.saved_model.load(str(folder))
        serve = loaded.signatures["serving_default"]
        images, logits = serve.structured_input_signature[1], serve.structured_outputs
        usable = set(images) == {"images"} and "logits" in logits
    except Exception as error:
        # TensorFlow's loader raises errors of many kinds for files that do not fit together.
        raise InputError(f"The model in {folder} cannot be loaded; verify it.") from error
    if not usable:
        raise InputError(
            f"The model in {folder} does not take images and give logits: tfdpzoo did not write it."
        )
    return loaded, serve


def _check(
    images: np.ndarray | IndexedImages, labels: np.ndarray, serve: Any, batch_size: int
) -> None:
    shape = tuple(serve.structured_input_signature[1]["images"].shape[1:])
    classes = serve.structured_outputs["logits"].shape[1]
    if images.shape[1:] != shape or images.dtype.kind not in "uif":
        raise InputError(
            f"The model takes images of shape {_times(shape)}; these are numbers of type "
            f"{images.dtype} and shape {_times(images.shape[1:])}."
        )
    if len(images) == 0:
        raise InputError("There are no images to evaluate the model on.")
    if labels.shape != (len(images),) or labels.dtype.kind not in "ui":
        raise InputError(
            f"{len(images)} images need as many whole-numbered labels; these have type "
            f"{labels.dtype} and shape {_times(labels.shape)}."
        )
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        raise InputError(
            f"The label {outside[0]} is out of range: the model has the classes 0 to {classes - 1}."
        )
    if batch_size < 1:
        raise InputError(f"A batch size of {batch_size} is too small; give at least 1.")
    if isinstance(images, IndexedImages):
        return  # Bytes are from 0 to 255.
    least, most = float(images.min()), float(images.max())
    if not (least >= 0 and most <= 255):
        raise InputError(
            f"Pixels must be raw numbers from 0 to 255; these go from {least:g} to {most:g}. "
            "The model normalises by itself."
        )


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    chosen = shifted[np.arange(len(labels)), labels]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - chosen))


def _share(correct: np.ndarray) -> float | None:
    return float(correct.mean()) if len(correct) else None


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "()"
