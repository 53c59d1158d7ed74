"""Every model of the zoo: the fast engine's clipped sum is that of TF-Privacy's own gradients.

Where float32 cannot decide to 1e-5, as through ten normalisations, a float64 reference does: the
fast engine may be no further from it than twice as far as TF-Privacy is.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from reference_gradients import LOSS, clipped_sum, gradients_one_at_a_time, norm, relative_error

from tfdpzoo import zoo
from tfdpzoo.dpsgd.engine import make_engine
from tfdpzoo.dpsgd.optimizer import make_private_optimizer

SHAPE, CLASSES, EXAMPLES = (16, 16, 3), 5, 2
# ReLU has a corner, at which rounding decides for whole terms; Mish has none.
ARGUMENTS = {
    "smoothnet": {"width": 1.0, "depth": 2},
    "wrn16_4": {"activation": "mish"},
    "wrn40_4": {"activation": "mish"},
}
# TensorFlow takes minutes to vectorise the Jacobian of forty convolutions.
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name == "wrn40_4" else name
    for name in zoo.names()
]


def build(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    return zoo.build(name, input_shape=SHAPE, classes=CLASSES, **ARGUMENTS.get(name, {}))


def exact_sum(name: str, model: keras.Model, images, labels, clip_norm: float) -> list[np.ndarray]:
    keras.config.set_dtype_policy("float64")
    try:
        exact = build(name)
    finally:
        keras.config.set_dtype_policy("float32")
    for variable, value in zip(exact.trainable_variables, model.trainable_variables, strict=True):
        variable.assign(value.numpy().astype("float64"))

    def loss(labels, logits):
        return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    gradients = gradients_one_at_a_time(exact, images.astype("float64"), labels, loss=loss)
    return clipped_sum(gradients, clip_norm)


@pytest.mark.parametrize("name", NAMES)
def test_engines_agree(name):
    model = build(name)
    random = np.random.default_rng(0)
    images = random.normal(size=(EXAMPLES, *SHAPE)).astype("float32")
    labels = random.integers(0, CLASSES, EXAMPLES)
    # Between the norms of the two: one example is clipped and the other is not.
    rows = gradients_one_at_a_time(model, images, labels)
    clip_norm = float(np.mean([norm([row[example] for row in rows]) for example in range(2)]))
    chunk = tf.constant(images), tf.constant(labels), tf.ones(EXAMPLES)
    fast, reference = (
        make_engine(engine, model, LOSS, clip_norm, make_private_optimizer("sgd", clip_norm))
        for engine in ("fast", "tf-privacy")
    )
    found = fast(*chunk).gradients
    expected = tf.function(reference, autograph=False)(*chunk).gradients
    if relative_error(found, expected) > 1e-5:
        exact = exact_sum(name, model, images, labels, clip_norm)
        assert relative_error(found, exact) < 2 * relative_error(expected, exact) < 1e-3
