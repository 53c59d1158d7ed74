"""Small models with every kind of layer, in any order, that several tests share."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfdpzoo.layers import ScaleBias

layers = keras.layers
EXAMPLES, CLASSES = 3, 3


class Bend(layers.Layer):
    """Has no rule, several variables, and a nonlinearity between them."""

    def build(self, shape):
        self.inner = self.add_weight(shape=(shape[-1],), initializer="random_normal", name="inner")
        self.outer = self.add_weight(shape=(shape[-1],), initializer="random_normal", name="outer")
        self.shift = self.add_weight(shape=(), initializer="random_normal", name="shift")

    def call(self, inputs):
        return inputs + self.outer * tf.tanh(self.inner * inputs + self.shift)


class Twice(layers.Layer):
    """Uses one layer twice, and has another that it never calls."""

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer
        self.idle = layers.Dense(2)

    def build(self, shape):
        self.layer.build(shape)
        self.idle.build((None, 3))

    def call(self, inputs):
        return self.layer(inputs) + 0.5 * self.layer(tf.nn.selu(inputs))


class Tokens(layers.Layer):
    """Attention over positions, as a transformer block has it."""

    def __init__(self, heads=2, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(heads, 2)
        self.norm = layers.LayerNormalization()

    def build(self, shape):
        self.attention.build(
            query_shape=(None, shape[1] * shape[2], shape[3]),
            value_shape=(None, shape[1] * shape[2], shape[3]),
        )
        self.norm.build(shape)

    def call(self, inputs):
        rows = tf.reshape(inputs, (-1, inputs.shape[1] * inputs.shape[2], inputs.shape[3]))
        return self.norm(inputs + tf.reshape(self.attention(rows, rows), tf.shape(inputs)))


class Recolour(layers.Layer):
    """Looks brightness up in a table, as an embedding does."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = layers.Embedding(8, 3)

    def build(self, shape):
        self.table.build((None, *shape[1:]))

    def call(self, inputs):
        levels = tf.cast(tf.clip_by_value(tf.abs(inputs[..., 0]) * 3, 0, 7), tf.int32)
        return tf.concat([inputs, self.table(levels)], axis=-1)


def tanh(units: int) -> layers.Layer:
    return layers.Conv2D(units, 1, activation="tanh")


# From an image to an image; the first convolution makes channels that normalisation can group.
PARTS = {
    "convolution": lambda: [layers.Conv2D(4, 3, padding="same", activation="selu")],
    "convolution, strides": lambda: [layers.Conv2D(4, (3, 2), strides=(2, 1), padding="same")],
    "convolution, dilation": lambda: [
        layers.Conv2D(4, 2, dilation_rate=(2, 1), padding="same", use_bias=False)
    ],
    "convolution, groups": lambda: [layers.Conv2D(4, 3, groups=2, padding="same")],
    "depthwise": lambda: [layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu")],
    "separable": lambda: [layers.SeparableConv2D(4, 3, depth_multiplier=2, padding="same")],
    "transposed": lambda: [layers.Conv2DTranspose(2, 2, strides=2)],
    "pooling": lambda: [layers.MaxPooling2D(3, strides=1, padding="same"), tanh(4)],
    "dense on channels": lambda: [layers.Dense(5, activation="tanh")],
    "group normalisation": lambda: [layers.GroupNormalization(2), layers.Activation("selu")],
    "instance normalisation": lambda: [layers.GroupNormalization(-1, center=False)],
    "group normalisation, beta alone": lambda: [layers.GroupNormalization(4, scale=False)],
    "group normalisation of rows": lambda: [layers.GroupNormalization(2, axis=1)],
    "layer normalisation": lambda: [layers.LayerNormalization(), tanh(4)],
    "layer normalisation of several axes": lambda: [
        layers.LayerNormalization(axis=(2, 3), center=False),
        tanh(4),
    ],
    "layer normalisation of rows": lambda: [layers.LayerNormalization(axis=1), tanh(4)],
    "root mean square": lambda: [layers.RMSNormalization(), tanh(4)],
    "scale and bias": lambda: [ScaleBias(), tanh(4)],
    "bias": lambda: [ScaleBias(use_scale=False)],
    "prelu": lambda: [layers.PReLU(shared_axes=[1, 2])],
    "without a rule": lambda: [Bend()],
    "a layer used twice": lambda: [Twice(layers.Conv2D(4, 1))],
    "a layer without a rule used twice": lambda: [Twice(Bend())],
    "attention": lambda: [Tokens()],
    "embedding": lambda: [Recolour()],
    "nested": lambda: [keras.Sequential([tanh(4), layers.GroupNormalization(2), tanh(4)])],
    "frozen": lambda: [
        layers.Conv2D(4, 3, padding="same", trainable=False),
        layers.GroupNormalization(2),
    ],
}


def build(parts: list[str], *, head: str = "flatten", seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    inside = [layer for part in parts for layer in PARTS[part]()]
    ends = {"flatten": layers.Flatten(), "mean": layers.GlobalAveragePooling2D()}
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), tanh(4), *inside, ends[head], layers.Dense(CLASSES)]
    )
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:  # Biases and scales are not all alike.
        variable.assign(variable.numpy() + 0.1 * random.normal(size=variable.shape))
    return model


def batch(seed: int = 0, shape=(8, 8, 1)) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    images = random.normal(size=(EXAMPLES, *shape)).astype("float32")
    return images, random.integers(0, CLASSES, EXAMPLES)


# Kinds that keep their four channels can follow one another in any order.
STACKABLE = [
    name
    for name in PARTS
    if name not in ("dense on channels", "embedding", "transposed", "depthwise")
]
