"""A factor and a summand for each channel."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.layers import ScaleBias


@pytest.mark.parametrize(("use_scale", "use_bias"), [(True, True), (True, False), (False, True)])
def test_it_scales_then_shifts_and_is_saved(tmp_path, use_scale, use_bias):
    layer = ScaleBias(use_scale=use_scale, use_bias=use_bias)
    model = keras.Sequential([keras.Input((4, 4, 3)), layer])
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    np.testing.assert_array_equal(model(images), images)
    factors, summands = np.array([2.0, -1.0, 0.5]), np.array([0.0, 1.0, -3.0])
    layer.set_weights([factors] * use_scale + [summands] * use_bias)
    expected = images * (factors if use_scale else 1.0) + (summands if use_bias else 0.0)
    np.testing.assert_allclose(model(images), expected, rtol=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), model(images))


def test_with_nothing_to_train_it_is_refused():
    with pytest.raises(InputError, match="nothing to train"):
        ScaleBias(use_scale=False, use_bias=False)
