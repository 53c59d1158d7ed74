"""Pooling over the group and over space, and restriction to a subgroup."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdpzoo.errors import InputError
from tfdpzoo.layers import GroupPooling, GroupRestriction, SymmetricPooling2D
from tfdpzoo.layers.equivariance import equivariance_error, move_features, move_images
from tfdpzoo.layers.groups import square_group

IMAGES = np.random.default_rng(0).normal(size=(2, 7, 7, 16)).astype("float32")
PAIRS = [
    (group, subgroup.name)
    for group in ("C4", "D2", "D4")
    for subgroup in square_group(group).subgroups()
]


@pytest.mark.parametrize("kind", ["max", "mean"])
@pytest.mark.parametrize("group", ["C1", "C2", "C4", "D1", "D2", "D4"])
def test_group_pooling(kind, group):
    order = square_group(group).order
    layer = GroupPooling(group, kind)
    expected = getattr(IMAGES.reshape(2, 7, 7, -1, order), kind)(axis=-1)
    np.testing.assert_allclose(layer(IMAGES), expected, atol=1e-6)
    error = equivariance_error(layer, IMAGES, square_group(group), move_outputs=move_images)
    assert error < 1e-6


@settings(max_examples=25)
@given(st.integers(1, 4), st.integers(4, 13), st.integers(4, 13), st.sampled_from(["max", "mean"]))
def test_spatial_pooling_is_keras_own_or_overlaps(strides, height, width, kind):
    images = np.random.default_rng(0).normal(size=(1, height, width, 2)).astype("float32")
    layer = SymmetricPooling2D(strides, kind)
    outputs = layer(images).numpy()
    assert outputs.shape == layer.compute_output_shape(images.shape)
    assert outputs.shape[1:3] == (height // strides, width // strides)
    np.testing.assert_allclose(layer(images[:, ::-1]), outputs[:, ::-1], atol=1e-6)
    np.testing.assert_allclose(layer(images[:, :, ::-1]), outputs[:, :, ::-1], atol=1e-6)
    if height % strides == width % strides == 0:
        keras_own = {"max": keras.layers.MaxPooling2D, "mean": keras.layers.AveragePooling2D}
        np.testing.assert_allclose(outputs, keras_own[kind](strides)(images), atol=1e-6)


@pytest.mark.parametrize("side", [7, 8])
def test_spatial_pooling_is_equivariant(side):
    images = np.random.default_rng(0).normal(size=(1, side, side, 16)).astype("float32")
    assert equivariance_error(SymmetricPooling2D(2), images, square_group("D4")) == 0


@pytest.mark.parametrize(("group", "subgroup"), PAIRS)
def test_restriction_makes_fields_of_the_subgroup(group, subgroup):
    """Moving the features of G by an element of H moves the restricted ones as features of H."""
    whole, part = square_group(group), square_group(subgroup)
    layer = GroupRestriction(group, subgroup)
    restricted = layer(IMAGES).numpy()
    np.testing.assert_array_equal(np.sort(restricted), np.sort(IMAGES))
    for h, element in enumerate(part.elements):
        moved = move_features(IMAGES, whole, whole.elements.index(element))
        np.testing.assert_array_equal(layer(moved), move_features(restricted, part, h))


@pytest.mark.parametrize(
    "layer",
    [
        GroupPooling("p4", "mean", name="pooled"),
        SymmetricPooling2D(3, "mean"),
        GroupRestriction("D4", "C2"),
    ],
)
def test_configuration_round_trip_and_file(layer, tmp_path):
    before = layer.get_config()
    assert type(layer).from_config(before).get_config() == before
    model = keras.Sequential([keras.Input((7, 7, 16)), layer])
    assert model.output_shape == (None, *model(IMAGES).shape[1:])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(IMAGES), model(IMAGES))


@pytest.mark.parametrize("layer", [GroupPooling("p4"), GroupRestriction("D4", "D2")])
def test_images_may_be_of_unknown_size(layer):
    inputs = keras.Input((None, None, 16))
    model = keras.Model(inputs, layer(inputs))
    assert model(IMAGES).shape[:3] == (2, 7, 7)
    assert model.output_shape[:3] == (None, None, None)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: GroupPooling("p4", "sum"), "no kind of pooling named 'sum'"),
        (lambda: GroupPooling("p5"), "no group named 'p5'"),
        (lambda: GroupPooling("p4").build((None, 4, 4, 6)), "which are not fields of p4"),
        (lambda: GroupRestriction("C4", "D2"), "D2 is not a subgroup of C4; choose of C1, C2, C4."),
        (lambda: GroupRestriction().build((None, 4, 4, 12)), "they must be a multiple of 8"),
        (lambda: SymmetricPooling2D(0), "strides is 0; it must be a whole number"),
        (lambda: SymmetricPooling2D(4).build((None, 3, 9, 1)), "width of at least 4"),
        (lambda: SymmetricPooling2D(2).build((None, None, 9, 1)), "a known height and width"),
    ],
)  # fmt: skip
def test_bad_arguments_are_one_sentence(make, text):
    with pytest.raises(InputError, match=text):
        make()
