"""Data, models and short trainings that the tests of the audit share."""

from __future__ import annotations

import keras
import numpy as np

from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.secret_key import SecretKey

layers = keras.layers
KEY = SecretKey.from_seed(0)
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(200, 4, 4, 1)).astype("float32")
LABELS = RNG.integers(0, 2, 200)
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def audited_plan() -> PrivacyPlan:
    return PrivacyPlan.calibrate(
        epsilon=7.0, delta=1e-4, examples=200, batch_size=50, updates=4, clip_norm=1.0
    )


def sequential(*parts, shape=(4, 4, 1)) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *parts])


def fit(model, plan, *, loss=CROSS_ENTROPY, labels=LABELS, images=IMAGES, optimizer=None, **more):
    fitting = more.pop("fitting", {})
    metrics = more.pop("metrics", None)
    private = PrivateModel(model, plan, key=KEY, **more)
    private.compile(optimizer=optimizer or keras.optimizers.SGD(0.1), loss=loss, metrics=metrics)
    private.fit(plan.batches(images, labels, key=KEY), verbose=0, **fitting)
    return private


class Function(layers.Layer):
    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, inputs, training=None):
        return self.function(inputs, training)

    def compute_output_shape(self, shape):
        return shape
