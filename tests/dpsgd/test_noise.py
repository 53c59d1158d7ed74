"""The noise: normal, of the right width, new for every variable and update, and replayable.

Keys are fixed: the verdicts are too. `test_noise_of_updates.py` measures the noise where it counts,
in the change of a model's weights by a whole update.
"""

from __future__ import annotations

import dataclasses
import itertools
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfdpzoo.dpsgd import noise as noise_module
from tfdpzoo.dpsgd.noise import GaussianNoise
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.secret_key import SecretKey

SHAPES = [(3, 3, 8, 16), (16,), (), (50, 40), (50, 40), (1,), (2_000,)]
FALSE_ALARM = 1e-6
WIDTH = 2.5
REACH = 7.9  # That of the plan below.
PLAN = PrivacyPlan.from_noise_multiplier(
    noise_multiplier=0.845, delta=1e-5, examples=50_000, batch_size=1024, epochs=30
)


def draw(update: int, *, seed: int = 0, shapes=SHAPES, width: float = WIDTH) -> list[np.ndarray]:
    noise = GaussianNoise(SecretKey.from_seed(seed), shapes, width, REACH)
    return [values.numpy() for values in noise.draw(tf.constant(update, tf.int64))]


@pytest.fixture(scope="module")
def draws() -> list[list[np.ndarray]]:
    """Sixty updates."""
    noise = GaussianNoise(SecretKey.from_seed(0), SHAPES, WIDTH, REACH)
    compiled = tf.function(noise.draw)
    return [
        [values.numpy() for values in compiled(tf.constant(update, tf.int64))]
        for update in range(60)
    ]


def test_shapes_and_type():
    found = draw(0)
    assert [values.shape for values in found] == SHAPES
    assert all(values.dtype == np.float32 for values in found)


def test_every_variable_is_normal_with_the_right_width(draws):
    """Kolmogorov-Smirnov for each variable over all updates and for all; false alarm 1e-6 each."""
    by_variable = [np.concatenate([np.ravel(draw[i]) for draw in draws]) for i in range(7)]
    everything = np.concatenate(by_variable)
    for values in [*by_variable, everything]:
        assert stats.kstest(values / WIDTH, "norm").pvalue > FALSE_ALARM
    # The deviation of a standard deviation from n normal numbers is its value / sqrt(2 n).
    error = WIDTH / np.sqrt(2 * everything.size)
    assert abs(everything.std() - WIDTH) < stats.norm.isf(FALSE_ALARM / 2) * error
    assert abs(everything.mean()) < stats.norm.isf(FALSE_ALARM / 2) * np.sqrt(2) * error


def test_noise_wider_by_a_twentieth_would_be_found(draws):
    """The control for the test above."""
    everything = np.concatenate([np.ravel(values) for draw in draws for values in draw])
    assert stats.kstest(1.05 * everything / WIDTH, "norm").pvalue < FALSE_ALARM
    assert stats.kstest(0.95 * everything / WIDTH, "norm").pvalue < FALSE_ALARM


def test_tails_are_those_of_the_normal_distribution(draws):
    """A normal sum of few uniform numbers, or a clipped one, has none beyond 4 deviations."""
    everything = np.concatenate([np.ravel(values) for draw in draws for values in draw]) / WIDTH
    beyond = int(np.sum(np.abs(everything) > 4))
    law = stats.poisson(everything.size * 2 * stats.norm.sf(4))
    assert law.ppf(FALSE_ALARM) <= beyond <= law.isf(FALSE_ALARM)
    assert beyond > 0


TENSORFLOWS_LONGEST = np.sqrt(-2 * np.log(1e-7))


def longest_draw(reach: float) -> float:
    """The noise of the longest normal numbers there are: those of random bits that are all zero."""

    def zeros(shape, *arguments, dtype, **named):
        return tf.zeros(shape, dtype)

    with mock.patch.object(tf.random, "stateless_uniform", zeros):
        longest = noise_module._standard_normals(1, tf.constant([0, 0], tf.int64))[0]
    noise = GaussianNoise(SecretKey.from_seed(0), [(1,)], 1.0, reach)
    with mock.patch.object(
        noise_module, "_standard_normals", lambda number, seed: tf.fill((number,), longest)
    ):
        return float(noise.draw(tf.constant(0, tf.int64))[0][0])


@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.845, 10.0])
def test_noise_reaches_as_far_as_its_plan_needs(sigma):
    """What lies beyond the end of the noise proves an example, if that is all in one coordinate.

    TensorFlow's own normal numbers would not reach far enough where there is little noise.
    """
    plan = dataclasses.replace(PLAN, epsilon=1e6, noise_multiplier=sigma)
    reach = longest_draw(plan.noise_reach)
    assert plan.epochs * stats.norm.sf(reach - 1 / sigma) < 1e-3 * plan.delta
    if sigma < 1:
        assert plan.epochs * stats.norm.sf(TENSORFLOWS_LONGEST - 1 / sigma) > 10 * plan.delta


def test_many_small_shifts_do_not_come_beyond_the_end():
    """With a gradient of norm C spread over d coordinates, some number comes beyond an end of
    density p with a probability of sqrt(d) p / sigma, which for TensorFlow's own end is far above
    delta."""
    crossings = PLAN.epochs * np.sqrt(600_000) / PLAN.noise_multiplier
    assert crossings * stats.norm.pdf(TENSORFLOWS_LONGEST) > 100 * PLAN.delta
    assert crossings * stats.norm.pdf(longest_draw(PLAN.noise_reach)) < 1e-9 * PLAN.delta


@pytest.mark.parametrize("longest", [5.0, 9.0])
def test_long_draws_are_normal(longest):
    """From the uniform numbers that long draws are made of, drawn as they are once they are small.

    Bits whose leading ones are zero have the law of small uniform numbers: radii beyond `longest`
    must have the tail exp(-(r^2 - longest^2) / 2). False alarm 1e-6.
    """
    random = np.random.default_rng(0)
    largest = int(np.exp(-(longest**2) / 2) * 2.0**64)
    radii, angles = random.integers(0, largest, 5_000), random.integers(0, 2**64, 5_000, np.uint64)
    bits = np.stack([radii.astype(np.uint64), angles])
    with mock.patch.object(tf.random, "stateless_uniform", lambda *_, **__: tf.constant(bits)):
        noise = GaussianNoise(SecretKey.from_seed(0), [(10_000,)], 1.0, REACH)
        (drawn,) = noise.draw(tf.constant(0, tf.int64))
    squares = drawn.numpy()[:5_000].astype(float) ** 2 + drawn.numpy()[5_000:].astype(float) ** 2
    assert stats.kstest((squares - longest**2) / 2, "expon").pvalue > FALSE_ALARM


def test_no_stretch_of_noise_occurs_twice(draws):
    """Whatever the offset: no three consecutive numbers are found again, in no variable or update.

    Two triples of independent float32 normals agree with a probability below 1e-20.
    """
    triples: list[bytes] = []
    for variables in draws[:20]:
        for values in variables:
            flat = np.ravel(values)
            triples += [flat[i : i + 3].tobytes() for i in range(flat.size - 2)]
    assert len(set(triples)) == len(triples)


def test_numbers_of_small_variables_are_all_different(draws):
    """A scalar beside an array, or of another update, is not the array's first number."""
    firsts = [float(np.ravel(values)[0]) for variables in draws for values in variables]
    assert len(set(firsts)) == len(firsts)


def test_variables_and_updates_are_uncorrelated(draws):
    """Every pair among the two (50, 40), the (2000,) variables and 60 updates; false alarm 1e-6."""
    rows = [np.ravel(variables[i]) for variables in draws for i in (3, 4, 6)]
    correlations = np.corrcoef(rows) * np.sqrt(len(rows[0]))
    pairs = correlations[np.triu_indices(len(rows), k=1)]
    assert np.abs(pairs).max() < stats.norm.isf(FALSE_ALARM / pairs.size / 2)
    neighbours = [np.sum(row[1:] * row[:-1]) / WIDTH**2 / np.sqrt(row.size) for row in rows]
    assert np.abs(neighbours).max() < 1.1 * stats.norm.isf(FALSE_ALARM / len(rows) / 2)


def test_key_and_update_decide():
    for one, same in zip(draw(41), draw(41), strict=True):
        np.testing.assert_array_equal(one, same)
    for one, other in itertools.product(draw(41), draw(42) + draw(41, seed=1)):
        assert not np.isin(np.ravel(one), np.ravel(other)).all()


def test_global_seeds_of_tensorflow_and_numpy_do_not_matter():
    tf.random.set_seed(1)
    first = draw(3)
    tf.random.set_seed(2)
    np.random.seed(7)
    for one, same in zip(first, draw(3), strict=True):
        np.testing.assert_array_equal(one, same)


def test_graph_and_eager_noise_are_equal(draws):
    """A resumed run replays its updates, however it is executed."""
    for compiled, eager in zip(draws[5], draw(5), strict=True):
        np.testing.assert_array_equal(compiled, eager)


@pytest.mark.parametrize("update", [0, 2**31 - 1, 2**31, 2**40])
def test_update_numbers_beyond_32_bits(update):
    now, later = draw(update)[3], draw(update + 1)[3]
    assert np.isfinite(now).all() and not np.isin(now, later).all()


def test_keys_whose_seed_is_close_to_overflow():
    """The seed is a 64-bit integer that is counted on from: it may wrap but not fail."""

    class Edge(SecretKey):
        def derive(self, stream: str, index: int = 0) -> int:
            return (2**63 - 1) << 64 | 2**63

    noise = GaussianNoise(Edge(bytes(32)), SHAPES, 1.0, REACH)
    first, second = (noise.draw(tf.constant(update, tf.int64)) for update in (0, 1))
    assert not np.isin(first[3].numpy(), second[3].numpy()).all()


def test_width_scales():
    for narrow, wide in zip(draw(0, width=1.0), draw(0, width=4.0), strict=True):
        np.testing.assert_allclose(wide, 4 * narrow, rtol=1e-6)


@pytest.mark.slow  # XLA takes its time to compile.
def test_noise_under_xla_is_as_good():
    """Other numbers of the same law: normal, without a common stretch, a function of the key."""
    noise = GaussianNoise(SecretKey.from_seed(0), SHAPES, WIDTH, REACH)
    compiled = tf.function(noise.draw, jit_compile=True)
    updates = [
        [values.numpy() for values in compiled(tf.constant(update, tf.int64))]
        for update in range(20)
    ]
    flat = [np.ravel(values) for variables in updates for values in variables]
    everything = np.concatenate(flat)
    assert stats.kstest(everything / WIDTH, "norm").pvalue > FALSE_ALARM
    error = WIDTH / np.sqrt(2 * everything.size)
    assert abs(everything.std() - WIDTH) < stats.norm.isf(FALSE_ALARM / 2) * error
    triples = [row[i : i + 3].tobytes() for row in flat for i in range(row.size - 2)]
    assert len(set(triples)) == len(triples)
    for first, again in zip(updates[7], compiled(tf.constant(7, tf.int64)), strict=True):
        np.testing.assert_array_equal(first, again)
