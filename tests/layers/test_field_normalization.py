"""Group normalisation of fields: formula, equivariance, and use in Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.layers import FieldNormalization
from tfdpzoo.layers.equivariance import equivariance_error
from tfdpzoo.layers.groups import square_group

IMAGES = np.random.default_rng(0).normal(1, 2, size=(2, 5, 5, 48)).astype("float32")


def random_layer(*arguments, **named) -> FieldNormalization:
    layer = FieldNormalization(*arguments, **named)
    layer.build((None, None, None, 48))
    random = np.random.default_rng(1)
    for variable in layer.trainable_variables:
        variable.assign(random.normal(size=variable.shape))
    return layer


@pytest.mark.parametrize(("group", "groups"), [("p4m", 1), ("p4m", 3), ("p4", 4), ("C1", 8)])
@pytest.mark.parametrize("affine", [True, False])
def test_formula(group, groups, affine):
    layer = random_layer(groups, group, scale=affine, center=affine)
    order = square_group(group).order
    grouped = IMAGES.astype("float64").reshape(2, 25, groups, -1)
    mean = grouped.mean(axis=(1, 3), keepdims=True)
    variance = grouped.var(axis=(1, 3), keepdims=True)
    expected = ((grouped - mean) / np.sqrt(variance + 1e-5)).reshape(IMAGES.shape)
    if affine:
        gamma, beta = (np.repeat(v.numpy(), order) for v in layer.trainable_variables)
        expected = expected * gamma + beta
    np.testing.assert_allclose(layer(IMAGES), expected, atol=1e-5)
    assert [tuple(v.shape) for v in layer.variables] == [(48 // order,)] * (2 * affine)


@pytest.mark.parametrize("group", ["C2", "C4", "D1", "D2", "D4"])
def test_equivariance(group):
    layer = random_layer(2, group)
    assert equivariance_error(layer, IMAGES, square_group(group)) < 1e-5


@pytest.mark.parametrize(
    "arguments", [{}, {"groups": 3, "group": "D2", "scale": False, "epsilon": 1e-3}]
)
def test_configuration_round_trip_and_file(arguments, tmp_path):
    layer = FieldNormalization(**arguments)
    before = layer.get_config()
    model = keras.Sequential([keras.Input((None, None, 48)), layer])
    assert layer.get_config() == before
    assert FieldNormalization.from_config(before).get_config() == before
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(IMAGES), model(IMAGES))


def test_bfloat16_has_statistics_in_float32():
    layer = random_layer(3, "p4m", dtype="mixed_bfloat16")
    outputs = layer(IMAGES)
    assert outputs.dtype == "bfloat16"
    expected = random_layer(3, "p4m")(IMAGES)
    np.testing.assert_allclose(np.asarray(outputs, "float32"), expected, atol=0.1)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"groups": 4}, "groups is 4, which does not divide the 6 fields"),
        ({"groups": 0}, "groups is 0"),
        ({"group": "D5"}, "no group named 'D5'"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments, text):
    with pytest.raises(InputError, match=text):
        FieldNormalization(**arguments).build((None, 5, 5, 48))
    with pytest.raises(InputError, match="was given 6 channels, which are not fields of D4"):
        FieldNormalization(1, "D4").build((None, 5, 5, 6))
