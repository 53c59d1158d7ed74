"""What a person wants to know of an exported model beside its guarantee: `assets.extra/model.json`.

The file holds the network's layers, the recipe that it was trained by and how well it does on test
images. `privacy.json` has its digest, as that of every file. Nothing in it comes from training
examples: their metrics are not differentially private.

This module imports no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfdpzoo.errors import InputError
from tfdpzoo.privacy import strict_json

if TYPE_CHECKING:
    import keras

FACTS_FILE = "assets.extra/model.json"

_FORMAT = "tfdpzoo model 1"


@dataclass(frozen=True)
class LayerFacts:
    """A layer of the network.

    Attributes:
        name: Its name.
        type: Its class.
        output_shape: Without the batch; None where it is not known.
        parameters: How many numbers it holds.
        inputs: The names of the layers whose outputs it takes.
    """

    name: str
    type: str
    output_shape: tuple[int, ...] | None
    parameters: int
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class CurvePoint:
    """What was known at the end of an epoch.

    Attributes:
        updates: Executed so far.
        epsilon: Spent so far.
        test_accuracy: On the test images.
        test_loss: Mean cross-entropy on the test images, in nats.
    """

    updates: int
    epsilon: strict_json.Epsilon
    test_accuracy: float
    test_loss: float


@dataclass(frozen=True)
class TrainingFacts:
    """How a model was trained, and what it does on the test images.

    Attributes:
        model: The name of the architecture.
        recipe: The name of the recipe.
        recipe_text: The recipe as it was run, in TOML, with the source of every value.
        dataset: The name of the data set, without the folders that lead to it.
        seconds: How long training took.
        curve: The epochs.
        confusion: How many test images of each class (rows) were taken for each class (columns).
    """

    model: str
    recipe: str
    recipe_text: str
    dataset: str
    seconds: float
    curve: tuple[CurvePoint, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def per_class_accuracy(self) -> tuple[float | None, ...]:
        """The accuracy on the test images of each class; None for a class without any."""
        counts = np.asarray(self.confusion)
        return tuple(
            float(row[label] / row.sum()) if row.sum() else None for label, row in enumerate(counts)
        )


@dataclass(frozen=True)
class ModelFacts:
    """What is known of an exported model.

    Attributes:
        format: Of this record.
        input_shape: Of one image: height, width, channels.
        classes: How many classes it tells apart.
        parameters: How many numbers the network holds, as it was trained.
        layers: The network, in order.
        training: How it was trained; None where that was not told at export.
    """

    format: str
    input_shape: tuple[int, ...]
    classes: int
    parameters: int
    layers: tuple[LayerFacts, ...]
    training: TrainingFacts | None

    @classmethod
    def of(
        cls,
        model: keras.Model,
        input_shape: tuple[int, ...],
        classes: int,
        training: TrainingFacts | None = None,
    ) -> ModelFacts:
        """Describes a model.

        Args:
            model: The model.
            input_shape: Of one image.
            classes: How many classes it tells apart.
            training: How it was trained.
        """
        layers = tuple(_layers(model))
        return cls(_FORMAT, tuple(input_shape), classes, model.count_params(), layers, training)

    @classmethod
    def read(cls, folder: Path) -> ModelFacts | None:
        """Reads the facts of a version; None where it has none.

        Args:
            folder: The version's folder.

        Raises:
            InputError: The file is damaged.
        """
        try:
            text = (folder / FACTS_FILE).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"{folder / FACTS_FILE} cannot be read: {error.strerror}.") from error
        try:
            return strict_json.decode(cls, strict_json.from_text(text))
        except InputError as error:
            raise InputError(f"{folder / FACTS_FILE} is damaged; verify the model.") from error

    def write(self, folder: Path) -> None:
        """Writes the facts into a version that is being made."""
        text = strict_json.to_text(strict_json.encode(self)) + "\n"
        (folder / FACTS_FILE).write_text(text, encoding="utf-8")


def confusion_of(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Counts for each class (rows) what its examples were taken for (columns).

    Args:
        labels: The classes of the examples, `[examples]`.
        predictions: What they were taken for, `[examples]`.
        classes: How many classes there are.

    Example:
        >>> confusion_of(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    pairs = labels.astype(np.int64) * classes + predictions
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _layers(model: keras.Model) -> Iterator[LayerFacts]:
    """The layers, those of models inside of it in their place."""
    for layer in model.layers:
        if getattr(layer, "layers", None):
            yield from _layers(layer)
        elif type(layer).__name__ != "InputLayer":
            yield LayerFacts(
                name=layer.name,
                type=type(layer).__name__,
                output_shape=_output_shape(layer),
                parameters=layer.count_params() if layer.built else 0,
                inputs=tuple(dict.fromkeys(_inputs(layer))),
            )


def _output_shape(layer: Any) -> tuple[int, ...] | None:
    """Layers of subclassed models know no output, and some shapes are not fixed."""
    try:
        shape = tuple(layer.output.shape[1:])
    except (AttributeError, ValueError):
        return None
    return None if None in shape else shape


def _inputs(layer: Any) -> Iterator[str]:
    for node in getattr(layer, "_inbound_nodes", ())[:1]:
        for parent in node.parent_nodes:
            yield parent.operation.name
