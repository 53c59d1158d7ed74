"""The small convolutional networks with tanh that DP-SGD is compared on.

Papernot, Thakurta, Song, Chien and Erlingsson, "Tempered sigmoid activations for deep learning with
differential privacy", arXiv 2007.14191 (2020), in the form of the end-to-end networks of Tramer and
Boneh, "Differentially private learning needs better features (or much more data)", arXiv 2011.11660
(2021); built after the latter's code, ftramer/Handcrafted-DP on GitHub.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from tfdpzoo.errors import unknown_name
from tfdpzoo.layers.smooth import ACTIVATIONS
from tfdpzoo.zoo.arguments import require_classes, require_images


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A square convolution with bias, whose image gets `padding` zeros on every side."""

    filters: int
    size: int
    stride: int
    padding: int


@dataclasses.dataclass(frozen=True)
class MaxPooling:
    """A maximum over squares of 2x2."""

    stride: int


@dataclasses.dataclass(frozen=True)
class Layout:
    """What is stacked: stages, then a dense layer of hidden units before that of the classes."""

    stages: tuple[Convolution | MaxPooling, ...]
    hidden: int


def _pairs(*widths: int) -> tuple[Convolution | MaxPooling, ...]:
    """Two 3x3 convolutions and a pooling to half the size for each width."""
    return tuple(
        stage
        for width in widths
        for stage in (Convolution(width, 3, 1, 1), Convolution(width, 3, 1, 1), MaxPooling(2))
    )


LAYOUTS = {
    "cifar10": Layout(_pairs(32, 64, 128), hidden=128),
    "cifar10-small": Layout((*_pairs(16, 32), Convolution(64, 3, 1, 1), MaxPooling(2)), hidden=128),
    "mnist": Layout(
        (Convolution(16, 8, 2, 2), MaxPooling(1), Convolution(32, 4, 2, 0), MaxPooling(1)),
        hidden=32,
    ),
}
"""By the data set that they were made for; Fashion-MNIST has that of MNIST."""


def tanh_cnn(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    classes: int = 10,
    *,
    layout: str = "cifar10",
    activation: str = "tanh",
    kernel_initializer: Any = "glorot_uniform",
    name: str = "tanh_cnn",
) -> keras.Model:
    """Builds a plain convolutional network: convolutions, max-pooling, two dense layers.

    The activation follows each convolution and the first dense layer. There is no normalisation.

    Args:
        input_shape: Height, width and channels of an image; the layout says how small it may be.
        classes: How many classes there are, at least 2.
        layout: `"cifar10"`, `"cifar10-small"` (both for images of at least 8x8) or `"mnist"` (at
            least 16x16); any of them takes any number of channels.
        activation: `"tanh"`, `"relu"`, `"mish"`, `"selu"` or `"leaky_relu"`.
        kernel_initializer: Initialiser of every kernel.
        name: Name of the Keras model.

    Returns:
        A `keras.Model` from `(batch, *input_shape)` to logits `(batch, classes)`.

    Raises:
        InputError: An argument is out of its range.

    Example:
        >>> tanh_cnn((28, 28, 1), layout="mnist").count_params()
        26010
        >>> tanh_cnn((32, 32, 3), layout="cifar10").count_params()
        550570
    """
    _require_buildable(input_shape, classes, layout, activation)
    # As a configuration, so that every layer draws from an initialiser of its own.
    kernel_initializer = keras.initializers.serialize(keras.initializers.get(kernel_initializer))
    trained = {"activation": activation, "kernel_initializer": kernel_initializer}

    images = keras.Input(input_shape, name="images")
    outputs = images
    for index, stage in enumerate(LAYOUTS[layout].stages):
        if isinstance(stage, MaxPooling):
            outputs = keras.layers.MaxPooling2D(2, stage.stride, name=f"pooling{index}")(outputs)
        else:
            outputs = _convolved(outputs, stage, f"convolution{index}", trained)
    outputs = keras.layers.Flatten(name="flatten")(outputs)
    outputs = keras.layers.Dense(LAYOUTS[layout].hidden, name="hidden", **trained)(outputs)
    logits = keras.layers.Dense(classes, kernel_initializer=kernel_initializer, name="logits")
    return keras.Model(images, logits(outputs), name=name)


def smallest_side(layout: Layout) -> int:
    """Returns the side of the smallest image of which the stages leave a pixel.

    Example:
        >>> [smallest_side(LAYOUTS[name]) for name in ("mnist", "cifar10")]
        [16, 8]
    """
    side = 1
    for stage in reversed(layout.stages):
        size, padding = (2, 0) if isinstance(stage, MaxPooling) else (stage.size, stage.padding)
        side = (side - 1) * stage.stride + size - 2 * padding
    return side


def _convolved(inputs: Any, stage: Convolution, name: str, trained: dict[str, Any]) -> Any:
    if stage.padding:
        inputs = keras.layers.ZeroPadding2D(stage.padding, name=f"{name}_padding")(inputs)
    return keras.layers.Conv2D(
        stage.filters, stage.size, strides=stage.stride, name=name, **trained
    )(inputs)


def _require_buildable(
    input_shape: tuple[int, ...], classes: int, layout: str, activation: str
) -> None:
    if activation not in ACTIVATIONS:
        raise unknown_name("activation", activation, ACTIVATIONS)
    if layout not in LAYOUTS:
        raise unknown_name("layout", layout, LAYOUTS)
    require_classes(classes)
    require_images(f"the layout {layout!r}", input_shape, smallest_side(LAYOUTS[layout]))
