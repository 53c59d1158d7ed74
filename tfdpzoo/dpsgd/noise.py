"""The Gaussian noise that makes an update private."""

from __future__ import annotations

import math

import tensorflow as tf

from tfdpzoo.dpsgd.secret_key import SecretKey

_STREAM = "noise"
# TensorFlow makes normal numbers of uniform ones that it takes for at least 1e-7.
# Of a number made from 64 random bits, in standard deviations.
_LONGEST_DRAW = math.sqrt(-2 * math.log(2.0**-65))


class GaussianNoise:
    """Noise as a function of a secret key, the update and the variable.

    Formal guarantee:
        `draw(t)` is a vector of independent normal numbers of standard deviation
        `standard_deviation` over all variables together, and independent of `draw(s)` for s != t,
        up to float32 and the quality of Philox-4x32-10 as a source of random bits. The same key and
        update give the same numbers, so an update that is repeated after a crash releases nothing
        new, as long as it is executed in the same way: XLA makes other normal numbers of the same
        bits than TensorFlow's own kernels.

        Whatever lies beyond the longest noise proves that an example was there. TensorFlow's own
        normal numbers end at 5.68 deviations: at sigma 0.845, rate 0.02048 and 1464 updates, where
        delta is 1e-5, that would prove a gradient in one coordinate with a probability of up to
        1e-4, and one that is spread over 600,000 with 1e-3. So normal numbers are made here of 64
        random bits, which reach 9.49 deviations, and where a plan needs more each is a sum of
        several (Holohan and Braghin, "Secure Random Sampling in Differential Privacy", 2021, arXiv
        2107.10138, propose sums against other attacks): n of them reach sqrt(n) times as far.

    Args:
        key: The secret.
        shapes: The shapes of the variables, in their order.
        standard_deviation: sigma * C, in the units of the summed gradient.
        reach: How many standard deviations the noise has to be able to reach, as
            `PrivacyPlan.noise_reach` says.

    Example:
        >>> noise = GaussianNoise(SecretKey.from_seed(0), [(1000,), (10, 100)], 2.0, reach=8.0)
        >>> first, second = noise.draw(tf.constant(0, tf.int64))
        >>> bool(tf.reduce_any(first == tf.reshape(second, [-1])))
        False
    """

    def __init__(
        self,
        key: SecretKey,
        shapes: list[tuple[int, ...]],
        standard_deviation: float,
        reach: float,
    ) -> None:
        seed = key.derive(_STREAM)
        self._seed = [_as_signed(seed & _MASK), _as_signed(seed >> 64)]
        self._shapes = [tuple(shape) for shape in shapes]
        self.standard_deviation = standard_deviation
        self._summands = math.ceil((reach / _LONGEST_DRAW) ** 2)

    def draw(self, update: tf.Tensor) -> list[tf.Tensor]:
        """Returns the noise of an update, one float32 tensor for each variable.

        Args:
            update: The number of the update, an int64 scalar.
        """
        first = tf.cast(update, tf.int64) * len(self._shapes)
        return [self._draw_one(first + index, shape) for index, shape in enumerate(self._shapes)]

    def _draw_one(self, number: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
        """Noise number `number` of this key; TensorFlow hashes the seed before it counts on."""
        seed = tf.stack([tf.constant(self._seed[0], tf.int64), self._seed[1] + number])
        summands = _standard_normals(self._summands * math.prod(shape), seed)
        width = self.standard_deviation / math.sqrt(self._summands)
        return width * tf.reduce_sum(tf.reshape(summands, (self._summands, *shape)), axis=0)


def _standard_normals(number: int, seed: tf.Tensor) -> tf.Tensor:
    """Returns independent normal numbers of deviation 1, two for each 128 random bits.

    Args:
        number: How many.
        seed: Of Philox, two int64 numbers.

    Source:
        Box and Muller, "A note on the generation of random normal deviates", 1958.
    """
    pairs = -(-number // 2)
    bits = tf.random.stateless_uniform(
        (2, pairs), seed, minval=None, maxval=None, dtype=tf.uint64, alg="philox"
    )
    # Added before it is scaled: near 0, where the long ones come from, all bits are kept.
    uniform = (tf.cast(bits[0], tf.float32) + 0.5) * 2.0**-64
    angle = tf.cast(tf.bitcast(bits[1], tf.int64), tf.float32) * (math.pi * 2.0**-63)
    radius = tf.sqrt(-2.0 * tf.math.log(uniform))
    normals = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)
    return normals[:number]


_MASK = (1 << 64) - 1


def _as_signed(bits: int) -> int:
    return bits - (1 << 64) if bits >= (1 << 63) else bits
