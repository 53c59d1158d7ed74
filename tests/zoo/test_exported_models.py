"""Every model of the zoo, exported, is read by a runtime that knows nothing of TensorFlow."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from stand_in import StandIn

from tfdpzoo import zoo
from tfdpzoo.layers import StandardizedConv2D
from tfdpzoo.saved_model import export
from tfdpzoo.verification import verify
from tfdpzoo.zoo.wide_resnet import wide_resnet

SHAPE = (16, 16, 3)
IMAGES = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype("float32")


def with_trained_looking_weights(model: keras.Model) -> keras.Model:
    """Moves every weight, so that no bias is 0 and no factor 1."""
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        step = 0.1 * (np.std(variable) or 1.0)
        variable.assign(variable.numpy() + step * random.normal(size=variable.shape))
    return model


@pytest.mark.parametrize("name", zoo.names())
def test_openvino_agrees_with_the_model(name, tmp_path):
    import openvino

    keras.utils.set_random_seed(0)
    model = with_trained_looking_weights(zoo.build(name, input_shape=SHAPE, classes=5))
    exported = export(StandIn(model), tmp_path / name / "1")
    core = openvino.Core()
    core.set_property({"INFERENCE_PRECISION_HINT": "f32"})
    # OpenVINO reads the folder itself, as its model server does.
    compiled = core.compile_model(str(exported), "CPU")
    expected = model(IMAGES).numpy()
    tolerance = 1e-5 * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(compiled(IMAGES)["logits"], expected, atol=tolerance)


def test_standardised_filters_are_written_as_they_are_used(tmp_path):
    keras.utils.set_random_seed(0)
    model = with_trained_looking_weights(wide_resnet(10, 1, SHAPE, 5))
    convolutions = [layer for layer in model.layers if isinstance(layer, StandardizedConv2D)]
    exported = export(StandIn(model), tmp_path / "narrow" / "1")
    loaded = tf.saved_model.load(str(exported))
    names = [name.rpartition("/")[2] for name in loaded.weights]
    assert names.count("filters") == names.count("biases") == len(convolutions) == 10
    assert "gain" not in names
    served = loaded.signatures["serving_default"](images=tf.constant(IMAGES))
    np.testing.assert_allclose(served["logits"], model(IMAGES), rtol=1e-5, atol=1e-5)
    assert verify(exported).ok
    # Afterwards the model has its own weights again.
    assert sum(variable.name == "gain" for variable in model.trainable_variables) == 10
