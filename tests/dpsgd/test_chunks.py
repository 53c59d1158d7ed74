"""The loop over chunks: a setting of speed that changes nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from reference_gradients import LOSS, clipped_sum, gradients_one_at_a_time, relative_error

from tfdpzoo.dpsgd.chunks import sum_over_chunks
from tfdpzoo.dpsgd.engine import ChunkResult, FastEngine

CLIP_NORM = 0.5
EXAMPLES = 11


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(3, 3, activation="selu"),
            keras.layers.GroupNormalization(3),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )


@pytest.fixture(scope="module")
def batch() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    images = random.normal(size=(EXAMPLES, 6, 6, 1)).astype("float32")
    return images, random.integers(0, 3, EXAMPLES)


def run(model, images, labels, weights, chunk) -> ChunkResult:
    engine = FastEngine(model, LOSS, CLIP_NORM)
    return sum_over_chunks(
        engine,
        tf.constant(images),
        tf.constant(labels),
        tf.constant(weights, tf.float32),
        chunk,
    )


@pytest.fixture(scope="module")
def expected(model, batch) -> list[np.ndarray]:
    return clipped_sum(gradients_one_at_a_time(model, *batch), CLIP_NORM)


@pytest.mark.parametrize("chunk", [1, 2, 4, 11, 16])
def test_chunk_size_does_not_matter(model, batch, expected, chunk):
    """Eleven examples in chunks that do and do not divide them, and in one that is too large."""
    result = run(model, *batch, np.ones(EXAMPLES), chunk)
    assert relative_error(result.gradients, expected) < 1e-5
    outputs = model(batch[0])
    np.testing.assert_allclose(result.predictions, outputs, atol=1e-5)
    np.testing.assert_allclose(result.losses, LOSS(batch[1], outputs), atol=1e-5)
    assert int(result.discarded) == 0


def test_order_of_examples_does_not_matter(model, batch, expected):
    order = np.random.default_rng(1).permutation(EXAMPLES)
    result = run(model, batch[0][order], batch[1][order], np.ones(EXAMPLES), 4)
    assert relative_error(result.gradients, expected) < 1e-5


@pytest.mark.parametrize("padding", [0.0, 1e30, np.nan, np.inf])
def test_padding_does_not_matter(model, batch, expected, padding):
    """More rows of weight 0, also a chunk of nothing else, whatever they hold."""
    images = np.concatenate([batch[0], np.full((7, 6, 6, 1), padding, "float32")])
    labels = np.concatenate([batch[1], np.zeros(7, "int64")])
    weights = np.repeat([1.0, 0.0], [EXAMPLES, 7])
    result = run(model, images, labels, weights, 4)
    assert relative_error(result.gradients, expected) < 1e-5
    assert int(result.discarded) == 0


@pytest.mark.parametrize("rows", [0, 3])
def test_no_example_gives_exact_zeros(model, rows):
    result = run(
        model, np.zeros((rows, 6, 6, 1), "float32"), np.zeros(rows, int), np.zeros(rows), 2
    )
    assert all(not total.numpy().any() for total in result.gradients)
    assert result.predictions.shape[0] == result.losses.shape[0] == rows
    assert int(result.discarded) == 0


def test_broken_examples_are_counted_over_chunks(model, batch):
    images = batch[0].copy()
    images[[0, 5, 10]] = np.nan
    found = run(model, images, batch[1], np.ones(EXAMPLES), 4)
    assert int(found.discarded) == 3
    rest = np.delete(batch[0], [0, 5, 10], axis=0), np.delete(batch[1], [0, 5, 10])
    expected = clipped_sum(gradients_one_at_a_time(model, *rest), CLIP_NORM)
    assert relative_error(found.gradients, expected) < 1e-5


def test_any_number_of_rows_goes_through_one_graph(model, batch):
    """A Poisson sample has another size every time; a new graph for each would take seconds."""
    traces = []

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, 6, 6, 1)),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((None,)),
        ]
    )
    def compiled(images, labels, weights):
        traces.append(1)
        return sum_over_chunks(FastEngine(model, LOSS, CLIP_NORM), images, labels, weights, 4)

    images, labels = batch
    for rows in (0, 1, 4, 5, 11):
        found = compiled(images[:rows], labels[:rows], tf.ones(rows))
        assert found.losses.shape == (rows,)
        if rows:
            reference = gradients_one_at_a_time(model, images[:rows], labels[:rows])
            assert relative_error(found.gradients, clipped_sum(reference, CLIP_NORM)) < 1e-5
    assert len(traces) == 1
