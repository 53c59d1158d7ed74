"""Masks of Dropout and the like come from the secret key, whatever Keras was seeded with."""

from __future__ import annotations

import keras
import numpy as np
from private_training import CLASSES, plan_of, private_model, sequential

from tfdpzoo.dpsgd.layer_randomness import draw_from_secret
from tfdpzoo.dpsgd.secret_key import SecretKey

layers = keras.layers


def model_with_dropout() -> keras.Model:
    keras.utils.set_random_seed(0)
    return sequential(
        layers.Flatten(), layers.Dropout(0.5, seed=3), layers.Dropout(0.5), layers.Dense(CLASSES)
    )


def masks(model: keras.Model) -> np.ndarray:
    """The masks of the two layers for 400 numbers each."""
    ones = np.ones((4, 100), "float32")
    return np.stack([layer(ones, training=True).numpy() > 0 for layer in model.layers[1:3]])


def test_the_key_decides_and_nothing_else():
    first, same, other = (model_with_dropout() for _ in range(3))
    for model, seed in ((first, 0), (same, 0), (other, 1)):
        draw_from_secret(model, SecretKey.from_seed(seed))
    drawn = masks(first)
    np.testing.assert_array_equal(drawn, masks(same))
    # Two independent masks agree in half of 800 places; 300 to 500 has a false alarm of 1e-11.
    assert 300 < np.sum(drawn == masks(other)) < 500
    assert 120 < np.sum(drawn[0] == drawn[1]) < 280


def test_a_private_model_draws_from_its_secret():
    """Keras' global seed and a layer's own give the same masks in each run; a secret does not."""
    first, second = model_with_dropout(), model_with_dropout()
    np.testing.assert_array_equal(masks(first), masks(second))
    for model in (first, second):
        private_model(plan_of(1), model=model, key=None)
    assert not np.array_equal(masks(first), masks(second))
