"""SmoothNet: a wide, shallow, densely connected CNN for training with differential privacy.

Remerscheid, Ziller, Rueckert and Kaissis, "SmoothNets: Optimizing CNN architecture design for
differentially private deep learning", arXiv 2205.04095 (2022). The dense network follows the
authors' `PrivateModelArchitectures`, the residual and plain ones their `DPBenchmark`.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.layers import AdaptiveAveragePooling2D, SmoothBlock
from tfdpzoo.zoo.arguments import is_whole, require_classes, require_images

CONNECTIONS = ("dense", "residual", "plain")
SMALLEST_SIDE = 8

_BASE_CHANNELS = (8, 16)
_POOLED_SIDE = 4
_HIDDEN_UNITS = (256, 128)


def smoothnet(
    width: float = 8.0,
    depth: int = 5,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    classes: int = 10,
    *,
    activation: str = "selu",
    pooling: str = "max",
    normalization: str = "group",
    connections: str = "dense",
    separable: bool = False,
    kernel_initializer: Any = "glorot_uniform",
    name: str = "smoothnet",
) -> keras.Model:
    """Builds a SmoothNet; the defaults are the paper's W80D50.

    Two stages of `depth` blocks with 8 * `width` and 16 * `width` channels. In the dense network
    the input of a block is everything that the stage has seen before it; a 1x1 convolution halves
    the channels between the stages. The last block's output is averaged to 4x4, flattened channel
    by channel as PyTorch does, and classified by three dense layers.

    Args:
        width: Factor of the channels; the paper's W80 is 8.0.
        depth: Blocks in each stage; the paper's D50 is 5.
        input_shape: Height, width (at least 8 each) and channels of an image.
        classes: How many classes there are, at least 2.
        activation: `"selu"`, `"relu"`, `"leaky_relu"`, `"tanh"` or `"mish"`.
        pooling: After each convolution: `"max"`, `"average"` or `"none"`.
        normalization: `"group"`, `"layer"`, `"instance"` or `"none"`.
        connections: `"dense"`; `"residual"` (a block is then two convolutions with a shortcut
            around them, and the second stage begins with a strided convolution); `"plain"`
            (neither).
        separable: Whether convolutions are depthwise separable.
        kernel_initializer: Initialiser of every convolution and dense layer.
        name: Name of the Keras model.

    Returns:
        A `keras.Model` from `(batch, *input_shape)` to logits `(batch, classes)`.

    Raises:
        InputError: An argument is out of its range.

    Example:
        >>> smoothnet(width=8, depth=1).count_params()
        601069
    """
    _require_buildable(width, depth, input_shape, classes, connections)
    # As a configuration, so that every layer draws from an initialiser of its own.
    kernel_initializer = keras.initializers.serialize(keras.initializers.get(kernel_initializer))
    block = {
        "activation": activation,
        "pooling": pooling,
        "normalization": normalization,
        "separable": separable,
        "kernel_initializer": kernel_initializer,
    }
    channels = tuple(int(base * width) for base in _BASE_CHANNELS)
    trunk = {"dense": _dense_trunk, "residual": _residual_trunk, "plain": _plain_trunk}[connections]

    images = keras.Input(input_shape, name="images")
    features = trunk(images, channels, depth, block)
    logits = _head(features, classes, activation, kernel_initializer)
    return keras.Model(images, logits, name=name)


def _dense_trunk(images: Any, channels: tuple[int, ...], depth: int, block: dict) -> Any:
    seen, _ = _dense_stack(images, channels[0], depth, block, "stage0")
    features = keras.layers.Conv2D(
        seen.shape[-1] // 2,
        1,
        use_bias=False,
        kernel_initializer=block["kernel_initializer"],
        name="transition",
    )(seen)
    features = keras.layers.AveragePooling2D(2, name="transition_pooling")(features)
    _, last = _dense_stack(features, channels[1], depth, block, "stage1")
    return keras.layers.AveragePooling2D(2, name="final_pooling")(last)


def _dense_stack(inputs: Any, channels: int, depth: int, block: dict, name: str) -> tuple[Any, Any]:
    """Returns everything that the stack has seen, concatenated, and its last block's output."""
    seen = last = inputs
    for index in range(depth):
        last = SmoothBlock(channels, name=f"{name}_block{index}", **block)(seen)
        seen = keras.layers.Concatenate(name=f"{name}_concatenate{index}")([seen, last])
    return seen, last


def _residual_trunk(images: Any, channels: tuple[int, ...], depth: int, block: dict) -> Any:
    features = images
    for stage, stage_channels in enumerate(channels):
        for index in range(depth):
            halve = stage > 0 and index == 0
            features = _residual_unit(
                features, stage_channels, halve, block, f"stage{stage}_block{index}"
            )
    return features


def _residual_unit(inputs: Any, channels: int, halve: bool, block: dict, name: str) -> Any:
    """Two blocks and a shortcut; the last activation comes after the sum."""
    first = _entry_block(channels, halve, block, f"{name}_first")(inputs)
    second = SmoothBlock(channels, name=f"{name}_second", **{**block, "activation": "linear"})(
        first
    )
    shortcut = _shortcut(inputs, channels, halve, name)
    total = keras.layers.Add(name=f"{name}_sum")([second, shortcut])
    return keras.layers.Activation(block["activation"], name=f"{name}_activation")(total)


def _shortcut(inputs: Any, channels: int, halve: bool, name: str) -> Any:
    """Subsamples the input and appends channels of zeros (or drops some): it has no weights."""
    shortcut = inputs
    if halve:
        # The strided convolution drops an odd last row and column; the shortcut must drop it too.
        height, width = (side - side % 2 for side in inputs.shape[1:3])
        shortcut = shortcut[:, :height:2, :width:2, :]
    missing = channels - inputs.shape[-1]
    if missing <= 0:
        return shortcut[..., :channels]
    padded = keras.ops.pad(shortcut, [(0, 0), (0, 0), (0, 0), (0, missing)])
    return keras.layers.Identity(name=f"{name}_shortcut")(padded)


def _plain_trunk(images: Any, channels: tuple[int, ...], depth: int, block: dict) -> Any:
    features = images
    for stage, stage_channels in enumerate(channels):
        for index in range(depth):
            halve = stage > 0 and index == 0
            features = _entry_block(stage_channels, halve, block, f"stage{stage}_block{index}")(
                features
            )
    return features


def _entry_block(channels: int, halve: bool, block: dict, name: str) -> SmoothBlock:
    """A block that halves the image by a 2x2 convolution of stride 2, or keeps its size."""
    spatial: dict[str, Any] = {"kernel_size": 2, "strides": 2, "padding": "valid"} if halve else {}
    return SmoothBlock(channels, name=name, **spatial, **block)


def _head(features: Any, classes: int, activation: str, kernel_initializer: Any) -> Any:
    # The authors use SELU or else ReLU between the dense layers.
    hidden_activation = "selu" if activation == "selu" else "relu"
    outputs = AdaptiveAveragePooling2D(_POOLED_SIDE, name="head_pooling")(features)
    outputs = keras.layers.Permute((3, 1, 2), name="channels_first")(outputs)
    outputs = keras.layers.Flatten(name="flatten")(outputs)
    for index, units in enumerate(_HIDDEN_UNITS):
        outputs = keras.layers.Dense(
            units,
            activation=hidden_activation,
            kernel_initializer=kernel_initializer,
            name=f"hidden{index}",
        )(outputs)
    return keras.layers.Dense(classes, kernel_initializer=kernel_initializer, name="logits")(
        outputs
    )


def _require_buildable(
    width: float, depth: int, input_shape: tuple[int, ...], classes: int, connections: str
) -> None:
    if connections not in CONNECTIONS:
        raise unknown_name("kind of connections", connections, CONNECTIONS)
    if not isinstance(width, int | float) or not 1 <= _BASE_CHANNELS[0] * width < math.inf:
        raise InputError(f"width is {width!r}; SmoothNet needs a number from 0.125 (one channel).")
    if not is_whole(depth):
        raise InputError(f"depth is {depth!r}; SmoothNet needs a whole number of blocks from 1 on.")
    require_classes(classes)
    require_images("SmoothNet", input_shape, SMALLEST_SIDE, channels=(1, 3))
