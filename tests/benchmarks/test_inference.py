"""The plain twin of an exported model has the same convolutions, without the group."""

from __future__ import annotations

import keras
import numpy as np

from benchmarks.inference_steps import plain_twin
from tfdpzoo.layers import GroupConv2D, LiftingConv2D
from tfdpzoo.zoo.equivariant_resnet9.architecture import equivariant_resnet9


def test_plain_twin_computes_the_same_with_the_expanded_filters():
    keras.utils.set_random_seed(0)
    model = equivariant_resnet9((8, 8, 3), restriction="none")
    twin = plain_twin(model)
    for layer in model.layers:
        if isinstance(layer, LiftingConv2D | GroupConv2D):
            twin.get_layer(layer.name).set_weights([np.array(each) for each in layer.filters()])
        elif layer.weights:
            twin.get_layer(layer.name).set_weights(layer.get_weights())
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    expected = model(images)
    assert not any(isinstance(layer, GroupConv2D) for layer in twin.layers)
    np.testing.assert_allclose(twin(images), expected, atol=1e-4 * np.abs(expected).max())
