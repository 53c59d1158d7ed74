"""Clipping: nobody's contribution is above C, broken ones are exactly nothing."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from reference_gradients import clipped_sum, norm

from tfdpzoo.dpsgd.clipping import clip_and_sum, clip_factors
from tfdpzoo.dpsgd.gradients import Instantiated, OuterProduct

# Float32 sums of a few hundred squares are right to about 1e-6; so is the division.
ROUNDING = 1e-5
NORMS = st.floats(1e-3, 1e3)


def gradients_of(values: np.ndarray) -> list[Instantiated]:
    """Two variables, cut out of `(B, 12)`."""
    values = values.astype("float32")
    return [Instantiated(tf.constant(values[:, :5])), Instantiated(tf.constant(values[:, 5:]))]


numbers = st.floats(-1e6, 1e6, width=32)
batches = arrays.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(12)), elements=numbers)


@settings(max_examples=60)
@given(batches, NORMS)
def test_sum_is_the_definition(values, clip_norm):
    result = clip_and_sum(gradients_of(values), tf.ones(len(values)), clip_norm)
    parts = [values.astype("float32")[:, :5].astype("float64"), values.astype("float32")[:, 5:]]
    expected = clipped_sum(parts, clip_norm)
    found = np.concatenate([total.numpy() for total in result.gradients])
    bound = ROUNDING * clip_norm * len(values)
    np.testing.assert_allclose(found, np.concatenate(expected), atol=bound)
    assert int(result.discarded) == 0


@settings(max_examples=60)
@given(
    arrays.arrays(
        np.float32, (1, 12), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)
    ),
    NORMS,
)
def test_one_example_gives_at_most_the_norm_whatever_it_holds(values, clip_norm):
    result = clip_and_sum(gradients_of(values), tf.ones(1), clip_norm)
    assert norm(result.gradients) <= clip_norm * (1 + ROUNDING)
    with np.errstate(over="ignore"):
        broken = not np.isfinite(np.sum(np.square(values, dtype="float32")))
    assert int(result.discarded) == int(broken)
    if broken:
        assert norm(result.gradients) == 0.0


def test_norm_is_over_all_variables_together():
    """Per-variable clipping would give each of the two variables up to C."""
    values = [Instantiated(tf.constant([[3.0]])), Instantiated(tf.constant([[4.0]]))]
    result = clip_and_sum(values, tf.ones(1), 1.0)
    np.testing.assert_allclose(result.norms, [5.0])
    np.testing.assert_allclose(
        [total.numpy()[0] for total in result.gradients], [0.6, 0.8], rtol=1e-6
    )


def test_gradients_below_the_norm_are_untouched_and_never_scaled_up():
    values = np.random.default_rng(0).normal(size=(1, 12)).astype("float32") * 0.01
    found = clip_and_sum(gradients_of(values), tf.ones(1), 1.0).gradients
    np.testing.assert_array_equal(np.concatenate([f.numpy() for f in found]), values[0])


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("kind", ["instantiated", "left", "right"])
def test_a_broken_example_adds_exactly_nothing_and_is_counted(broken, kind):
    """Bit by bit the same sum as without it; 1e30 has a square that overflows."""
    random = np.random.default_rng(0)
    left, right = (random.normal(size=(4, n)).astype("float32") for n in (3, 5))
    row = np.ones((4, 1), "float32")
    row[2] = broken

    def gradient(left, right):
        if kind == "instantiated":
            return Instantiated(tf.constant(left[:, :, None] * right[:, None]))
        return OuterProduct(tf.constant(left), tf.constant(right))

    left_broken, right_broken = (left * row, right) if kind != "right" else (left, right * row)
    others = np.array([True, True, False, True])
    with_broken = clip_and_sum([gradient(left_broken, right_broken)], tf.ones(4), 0.5)
    zeroed = clip_and_sum([gradient(left * others[:, None], right)], tf.ones(4), 0.5)
    np.testing.assert_array_equal(with_broken.gradients[0], zeroed.gradients[0])
    assert int(with_broken.discarded) == 1
    assert int(zeroed.discarded) == 0


@pytest.mark.parametrize("padding", [0.0, 1.0, np.nan, np.inf])
def test_padding_adds_exactly_nothing_and_is_not_counted(padding):
    values = np.random.default_rng(0).normal(size=(4, 12))
    padded, zeroed = values.copy(), values.copy()
    padded[1::2], zeroed[1::2] = padding, 0.0
    weights = tf.constant([1.0, 0.0, 1.0, 0.0])
    found = clip_and_sum(gradients_of(padded), weights, 0.7)
    expected = clip_and_sum(gradients_of(zeroed), tf.ones(4), 0.7)
    for one, other in zip(found.gradients, expected.gradients, strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(found.discarded) == 0


@pytest.mark.parametrize("padding", [0.0, np.nan])
def test_only_padding_gives_exact_zeros(padding):
    found = clip_and_sum(gradients_of(np.full((3, 12), padding)), tf.zeros(3), 1.0)
    assert all(not total.numpy().any() for total in found.gradients)
    assert int(found.discarded) == 0


@given(st.floats(0.0, 2.0**127, width=32), st.floats(1e-6, 1e6))
def test_factor_times_norm_is_at_most_the_clip_norm(length, clip_norm):
    factor = float(clip_factors(tf.constant([length]), clip_norm)[0])
    assert 0.0 <= factor <= 1.0
    assert factor * length <= clip_norm * (1 + 1e-6)


def test_factors_of_norms_that_are_not_finite():
    found = clip_factors(tf.constant([np.nan, np.inf, -np.inf, 0.0]), 1.0).numpy()
    assert found.tolist() == [0.0, 0.0, 0.0, 1.0]
