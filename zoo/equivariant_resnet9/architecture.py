"""Equivariant ResNet-9: few parameters, each shared over rotations and reflections.

Hoelzl, Rueckert and Kaissis, "Equivariant differentially private deep learning: Why DP-SGD needs
sparser models", AISec 2023, arXiv 2301.13104; built after the authors' code, hlzl/equivariant on
GitHub. A ResNet-9 with normalisation after the activation and once more after each residual sum
(ScaleNorm, Klause et al. 2022, arXiv 2203.00324).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.layers import (
    AdaptiveAveragePooling2D,
    FieldNormalization,
    GroupConv2D,
    GroupPooling,
    GroupRestriction,
    LiftingConv2D,
    SymmetricPooling2D,
)
from tfdpzoo.layers.groups import SquareGroup, square_group
from tfdpzoo.layers.smooth import ACTIVATIONS
from tfdpzoo.zoo.arguments import is_whole, require_classes, require_images

SMALLEST_SIDE = 8

_MOST_NORMALIZATION_GROUPS = 8
_FEWEST_FIELDS_OF_A_GROUP = 4
_WIDENING = 1.5
_POOLED_SIDE = 2


def equivariant_resnet9(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    classes: int = 10,
    *,
    group: str = "D4",
    restriction: str = "D2",
    layout: Sequence[int] = (16, 32, 64),
    activation: str = "mish",
    basis: str = "rings",
    weight_standardization: bool = True,
    kernel_initializer: Any = "he_normal",
    name: str = "equivariant_resnet9",
) -> keras.Model:
    """Builds an Equivariant ResNet-9; the defaults are the paper's network.

    Two convolutions, a residual block, two convolutions, a residual block. A convolution is
    followed by an activation, field normalisation and, in three of the four, max-pooling to half
    the size. All of it is equivariant to `group`, and from the fourth convolution on to
    `restriction` alone.
    The maximum over the group, averaged to 2x2, is classified by one dense layer, which looks at
    positions.

    Args:
        input_shape: Height, width (at least 8 each) and channels of an image.
        classes: How many classes there are, at least 2.
        group: A group of the square: `"C1"` (a plain network), `"C2"`, `"C4"`, `"D1"`, `"D2"`,
            `"D4"`.
        restriction: The subgroup to which the last stage is equivariant; `group` itself, or
            `"none"`, for no restriction.
        layout: Three widths; a stage of width w has floor(w * sqrt(1.5 |G|) / |G|) fields, so that
            networks of all groups have about the same number of parameters.
        activation: After each convolution: `"mish"`, `"relu"`, `"selu"`, `"leaky_relu"` or
            `"tanh"`.
        basis: `"rings"`, the paper's filters of 8 degrees of freedom, or `"pixels"`, all 9.
        weight_standardization: Whether kernels have mean 0 and a fixed spread, layer by layer.
        kernel_initializer: Initialiser of every kernel; of standardised ones only its shape counts.
        name: Name of the Keras model.

    Returns:
        A `keras.Model` from `(batch, *input_shape)` to logits `(batch, classes)`.

    Raises:
        InputError: An argument is out of its range.

    Example:
        >>> equivariant_resnet9().count_params()
        255675
    """
    _require_buildable(input_shape, classes, layout, activation)
    whole = square_group(group)
    part = whole if restriction == "none" else square_group(restriction)
    narrow, wide, widest = stage_fields(layout, whole, part)
    # As a configuration, so that every layer draws from an initialiser of its own.
    kernel_initializer = keras.initializers.serialize(keras.initializers.get(kernel_initializer))
    convolution = {
        "padding": "same",
        "activation": activation,
        "basis": basis,
        "weight_standardization": weight_standardization,
        "kernel_initializer": kernel_initializer,
    }

    images = keras.Input(input_shape, name="images")
    features = LiftingConv2D(narrow, 3, whole.name, name="conv1", **convolution)(images)
    features = _normalized(features, whole, "conv1")
    features = _block(features, wide, whole, convolution, "conv2", pool=True)
    features = _residual_block(features, wide, whole, convolution, "residual1")
    features = _block(features, widest, whole, convolution, "conv3", pool=True)
    if part != whole:
        features = GroupRestriction(whole.name, part.name, name="restriction")(features)
    features = _block(features, widest, part, convolution, "conv4", pool=True)
    features = _residual_block(features, widest, part, convolution, "residual2")

    outputs = GroupPooling(part.name, name="group_pooling")(features)
    outputs = AdaptiveAveragePooling2D(_POOLED_SIDE, name="head_pooling")(outputs)
    outputs = keras.layers.Flatten(name="flatten")(outputs)
    logits = keras.layers.Dense(classes, kernel_initializer=kernel_initializer, name="logits")
    return keras.Model(images, logits(outputs), name=name)


def stage_fields(
    layout: Sequence[int], group: SquareGroup, subgroup: SquareGroup
) -> tuple[int, ...]:
    """Returns the fields of the three stages.

    The last one, which begins with the convolution before the restriction, has as many as a network
    of the subgroup has.

    Example:
        >>> stage_fields((16, 32, 64), square_group("D4"), square_group("D2"))
        (6, 13, 39)
    """
    orders = (group.order, group.order, subgroup.order)
    fields = [
        int(width * math.sqrt(_WIDENING * order) / order)
        for width, order in zip(layout, orders, strict=True)
    ]
    if subgroup.order == 1 < group.order:
        # The authors' rule leaves a stage without any symmetry at its width.
        fields[-1] = layout[-1]
    if min(fields) < 1:
        raise InputError(
            f"layout is {list(layout)}, which leaves a stage of {group.name} without fields; "
            "make it wider."
        )
    return tuple(fields)


def normalization_groups(fields: int) -> int:
    """Returns how many groups of fields are normalised: at most 8, of at least 4 fields.

    Example:
        >>> [normalization_groups(fields) for fields in (6, 13, 39, 78)]
        [1, 1, 3, 6]
    """
    largest = min(fields // _FEWEST_FIELDS_OF_A_GROUP, _MOST_NORMALIZATION_GROUPS)
    return next((number for number in range(largest, 0, -1) if fields % number == 0), 1)


def _block(
    inputs: Any, fields: int, group: SquareGroup, convolution: dict, name: str, *, pool: bool
) -> Any:
    outputs = GroupConv2D(fields, 3, group.name, name=name, **convolution)(inputs)
    outputs = _normalized(outputs, group, name)
    return SymmetricPooling2D(2, name=f"{name}_pooling")(outputs) if pool else outputs


def _residual_block(
    inputs: Any, fields: int, group: SquareGroup, convolution: dict, name: str
) -> Any:
    outputs = inputs
    for half in ("first", "second"):
        outputs = _block(outputs, fields, group, convolution, f"{name}_{half}", pool=False)
    total = keras.layers.Add(name=f"{name}_sum")([inputs, outputs])
    return _normalized(total, group, name)


def _normalized(inputs: Any, group: SquareGroup, name: str) -> Any:
    """Without factor and summand, as the authors' networks have it."""
    return FieldNormalization(
        normalization_groups(inputs.shape[-1] // group.order),
        group.name,
        scale=False,
        center=False,
        name=f"{name}_normalization",
    )(inputs)


def _require_buildable(
    input_shape: tuple[int, ...], classes: int, layout: Sequence[int], activation: str
) -> None:
    if activation not in ACTIVATIONS:
        raise unknown_name("activation", activation, ACTIVATIONS)
    if not isinstance(layout, tuple | list) or len(layout) != 3 or not all(map(is_whole, layout)):
        raise InputError(
            f"layout is {layout!r}; it must be three whole numbers, such as [16, 32, 64]."
        )
    require_classes(classes)
    require_images("an Equivariant ResNet-9", input_shape, SMALLEST_SIDE)
