"""Which layers have a rule, and rules of one's own."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from reference_gradients import LOSS, examples_of, gradients_one_at_a_time, relative_error

from tfdpzoo.dpsgd.gradients import Instantiated
from tfdpzoo.dpsgd.per_example import differentiate
from tfdpzoo.dpsgd.rules import register_rule, rule_for
from tfdpzoo.layers import ScaleBias

layers = keras.layers


class Gain(layers.Layer):
    def build(self, shape):
        self.gain = self.add_weight(shape=(shape[-1],), initializer="random_normal")

    def call(self, inputs):
        return inputs * self.gain


def _differentiate():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5, 4)), Gain(), layers.Flatten(), layers.Dense(3)])
    images = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    labels = np.array([0, 1, 2])
    found = differentiate(model, LOSS, tf.constant(images), tf.constant(labels))
    return examples_of(found, 3), gradients_one_at_a_time(model, images, labels)


def test_rules_are_only_speed():
    """A registered rule is used, gives what the generic way gives, and covers no subclass."""

    class Louder(Gain):
        pass

    before, expected = _differentiate()
    calls = []

    @register_rule(Gain)
    def gain_rule(layer, inputs, output_gradients):
        calls.append(layer)
        return [Instantiated(tf.reduce_sum(inputs * output_gradients, axis=1))]

    after, _ = _differentiate()
    assert len(calls) == 1
    assert rule_for(Louder()) is None
    assert relative_error(before, expected) < 1e-5
    assert relative_error(after, expected) < 1e-5


def test_layers_that_have_rules():
    built = {
        layers.Conv2D(4, 3): (None, 8, 8, 4),
        layers.Conv2D(4, 3, groups=2): (None, 8, 8, 4),
        layers.DepthwiseConv2D(3): (None, 8, 8, 4),
        layers.Embedding(5, 2): (None, 7),
        layers.LayerNormalization(): (None, 8, 8, 4),
        layers.LayerNormalization(axis=(2, 3)): (None, 8, 8, 4),
        layers.RMSNormalization(): (None, 8, 8, 4),
        ScaleBias(): (None, 8, 8, 4),
        layers.Dense(4): (None, 4),
        layers.GroupNormalization(2): (None, 8, 8, 4),
    }
    for layer, shape in built.items():
        layer.build(shape)
        assert rule_for(layer) is not None
    assert rule_for(layers.PReLU()) is None
    rows = layers.LayerNormalization(axis=1)
    rows.build((None, 8, 8, 4))
    assert rule_for(rows) is None
