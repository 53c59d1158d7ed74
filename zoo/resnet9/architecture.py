"""ResNet-9 with ScaleNorm: a short residual network with a normalisation after each residual sum.

Klause, Ziller, Rueckert, Hammernik and Kaissis, "Differentially private training of residual
networks with scale normalisation", arXiv 2203.00324 (2022); built after the authors' code,
mrchntia/ScaleNorm on GitHub.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.layers.smooth import ACTIVATIONS, NORMALIZATION_EPSILON
from tfdpzoo.zoo.arguments import is_whole, require_classes, require_images

SMALLEST_SIDE = 16
"""Three poolings leave 2x2, which the head looks at."""


def resnet9(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    classes: int = 10,
    *,
    widths: Sequence[int] = (64, 128, 256),
    normalization_groups: int = 32,
    scale_normalization: bool = True,
    activation: str = "mish",
    kernel_initializer: Any = "he_normal",
    name: str = "resnet9",
) -> keras.Model:
    """Builds a ResNet-9; the defaults are the paper's network.

    Two convolutions, a residual block, two convolutions, a residual block; each convolution is 3x3,
    without bias, and followed by group normalisation, the activation and, in three of the four,
    max-pooling to half the size. After the sum of a residual block comes one more normalisation,
    the paper's ScaleNorm. The image is max-pooled to 2x2 and classified by one dense layer.

    Args:
        input_shape: Height, width (at least 16 each) and channels of an image.
        classes: How many classes there are, at least 2.
        widths: Channels of the first convolution, of the second with its residual block, and of the
            rest.
        normalization_groups: Groups of channels that are normalised together, at most as many as
            there are channels; must then divide them.
        scale_normalization: Whether there is a normalisation after each residual sum.
        activation: `"mish"`, `"relu"`, `"selu"`, `"leaky_relu"` or `"tanh"`.
        kernel_initializer: Initialiser of every kernel.
        name: Name of the Keras model.

    Returns:
        A `keras.Model` from `(batch, *input_shape)` to logits `(batch, classes)`.

    Raises:
        InputError: An argument is out of its range.

    Example:
        >>> resnet9().count_params()
        2448714
    """
    _require_buildable(input_shape, classes, widths, normalization_groups, activation)
    # As a configuration, so that every layer draws from an initialiser of its own.
    kernel_initializer = keras.initializers.serialize(keras.initializers.get(kernel_initializer))
    block = {
        "groups": normalization_groups,
        "activation": activation,
        "kernel_initializer": kernel_initializer,
    }
    residual = {**block, "scale_normalization": scale_normalization}
    narrow, wide, widest = widths

    images = keras.Input(input_shape, name="images")
    features = _block(images, narrow, "conv1", **block)
    features = _halved(_block(features, wide, "conv2", **block), "conv2")
    features = _residual_block(features, "residual1", **residual)
    features = _halved(_block(features, widest, "conv3", **block), "conv3")
    features = _halved(_block(features, widest, "conv4", **block), "conv4")
    features = _residual_block(features, "residual2", **residual)

    outputs = _pooled_to_two_by_two(features)
    outputs = keras.layers.Flatten(name="flatten")(outputs)
    logits = keras.layers.Dense(classes, kernel_initializer=kernel_initializer, name="logits")
    return keras.Model(images, logits(outputs), name=name)


def _block(
    inputs: Any, channels: int, name: str, *, groups: int, activation: str, kernel_initializer: Any
) -> Any:
    outputs = keras.layers.Conv2D(
        channels,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer=kernel_initializer,
        name=name,
    )(inputs)
    outputs = _normalized(outputs, groups, name)
    return keras.layers.Activation(activation, name=f"{name}_activation")(outputs)


def _residual_block(inputs: Any, name: str, *, scale_normalization: bool, **block: Any) -> Any:
    channels = inputs.shape[-1]
    outputs = _block(inputs, channels, f"{name}_first", **block)
    outputs = _block(outputs, channels, f"{name}_second", **block)
    total = keras.layers.Add(name=f"{name}_sum")([outputs, inputs])
    return _normalized(total, block["groups"], name) if scale_normalization else total


def _normalized(inputs: Any, groups: int, name: str) -> Any:
    return keras.layers.GroupNormalization(
        min(groups, inputs.shape[-1]),
        epsilon=NORMALIZATION_EPSILON,
        name=f"{name}_normalization",
    )(inputs)


def _halved(inputs: Any, name: str) -> Any:
    return keras.layers.MaxPooling2D(2, name=f"{name}_pooling")(inputs)


def _pooled_to_two_by_two(inputs: Any) -> Any:
    """As PyTorch's adaptive pooling: the windows of an odd side share its middle."""
    sides = inputs.shape[1:3]
    return keras.layers.MaxPooling2D(
        tuple(-(-side // 2) for side in sides),
        strides=tuple(side // 2 for side in sides),
        name="head_pooling",
    )(inputs)


def _require_buildable(
    input_shape: tuple[int, ...],
    classes: int,
    widths: Sequence[int],
    groups: int,
    activation: str,
) -> None:
    if activation not in ACTIVATIONS:
        raise unknown_name("activation", activation, ACTIVATIONS)
    if not isinstance(widths, tuple | list) or len(widths) != 3 or not all(map(is_whole, widths)):
        raise InputError(
            f"widths is {widths!r}; it must be three whole numbers, such as [64, 128, 256]."
        )
    if not is_whole(groups) or any(width % min(groups, width) for width in widths):
        raise InputError(
            f"normalization_groups is {groups!r}; it must be a whole number that divides each of "
            f"the widths {list(widths)} that is above it."
        )
    require_classes(classes)
    require_images("a ResNet-9", input_shape, SMALLEST_SIDE)
