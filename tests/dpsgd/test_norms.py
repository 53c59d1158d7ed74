"""Squared norms of rows are the same by either operation."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfdpzoo.dpsgd.norms import outside_xla, squared_norms

ROWS = np.random.default_rng(0).normal(size=(5, 1000)).astype("float32")
EXPECTED = (ROWS.astype("float64") ** 2).sum(axis=1)


def test_both_operations_add_up_squares():
    np.testing.assert_allclose(squared_norms(tf.constant(ROWS)), EXPECTED, rtol=1e-6)
    with outside_xla():
        np.testing.assert_allclose(squared_norms(tf.constant(ROWS)), EXPECTED, rtol=1e-6)


def test_what_xla_does_not_know_stays_outside():
    compiled = tf.function(squared_norms, jit_compile=True)
    np.testing.assert_allclose(compiled(tf.constant(ROWS)), EXPECTED, rtol=1e-6)
    with outside_xla(), pytest.raises(tf.errors.InvalidArgumentError, match="EuclideanNorm"):
        tf.function(squared_norms, jit_compile=True)(tf.constant(ROWS))


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_broken_rows_are_not_finite(broken):
    rows = np.concatenate([ROWS, [[broken] * 1000]]).astype("float32")
    for norms in (squared_norms(tf.constant(rows)), of_rows_outside_xla(rows)):
        assert np.isfinite(norms[:5]).all() and not np.isfinite(norms[5])


def of_rows_outside_xla(rows: np.ndarray) -> tf.Tensor:
    with outside_xla():
        return squared_norms(tf.constant(rows))
