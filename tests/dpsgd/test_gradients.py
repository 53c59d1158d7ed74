"""The forms of per-example gradients: norms and sums are those of the gradients themselves."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfdpzoo.dpsgd.gradients import (
    GramProducts,
    Instantiated,
    OuterProduct,
    PositionProducts,
    gram_is_cheaper,
    total,
)
from tfdpzoo.dpsgd.rules.convolution_forms import PixelGram
from tfdpzoo.dpsgd.rules.embedding import LookedUpRows

EXAMPLES = 5


def random(*shape: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(sum(shape)).normal(size=shape), tf.float32)


def convolution() -> keras.layers.Conv2D:
    """From images of 5x4x3 to 3x2x6."""
    layer = keras.layers.Conv2D(6, 3)
    layer.build((None, 5, 4, 3))
    return layer


FORMS = {
    "matrix": lambda: Instantiated(random(EXAMPLES, 4, 3)),
    "vector": lambda: Instantiated(random(EXAMPLES, 7)),
    "scalar": lambda: Instantiated(random(EXAMPLES)),
    "kernel": lambda: Instantiated(random(EXAMPLES, 3, 3, 2, 4)),
    "outer product": lambda: OuterProduct(random(EXAMPLES, 6), random(EXAMPLES, 4)),
    "gram products": lambda: GramProducts(
        random(EXAMPLES, 6, 4), random(EXAMPLES, 6, 3), (2, 2, 3)
    ),
    "pairs of pixels": lambda: PixelGram(
        convolution(), random(2 * EXAMPLES, 5, 4, 3), random(2 * EXAMPLES, 3, 2, 6), 2
    ),
    "looked-up rows": lambda: LookedUpRows(
        tf.constant(np.random.default_rng(0).integers(0, 4, (EXAMPLES, 6)), tf.int32),
        random(EXAMPLES, 6, 3),
        7,
    ),
    "total": lambda: total([FORMS["matrix"](), Instantiated(random(EXAMPLES, 4, 3) + 1.0)]),
    "total of products": lambda: total(
        [OuterProduct(random(EXAMPLES, 6), random(EXAMPLES, 4)), Instantiated(random(5, 6, 4))]
    ),
}


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]()


def test_norms_and_sums_are_those_of_the_gradients(form):
    values = form.instantiate().numpy().astype("float64")
    weights = np.array([0.5, 0.0, 2.0, -1.0, 1.0])
    assert values.shape[0] == EXAMPLES
    squares = (values.reshape(EXAMPLES, -1) ** 2).sum(axis=1)
    np.testing.assert_allclose(form.squared_norms(), squares, rtol=1e-5)
    found = form.weighted_sum(tf.constant(weights, tf.float32))
    # 1e-5 of the terms, since they may cancel.
    np.testing.assert_allclose(found, np.tensordot(weights, values, axes=1), atol=1e-5, rtol=1e-5)


def test_left_out_examples_are_exact_zeros(form):
    keep = tf.constant([True, False, True, False, True])
    kept = form.where(keep)
    values, expected = kept.instantiate().numpy(), form.instantiate().numpy()
    assert not values[[1, 3]].any()
    np.testing.assert_array_equal(values[[0, 2, 4]], expected[[0, 2, 4]])
    norms = kept.squared_norms().numpy()
    assert norms[1] == norms[3] == 0.0 and (norms[[0, 2, 4]] > 0).all()


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_broken_examples_are_cut_out(broken):
    """Zero times infinity is not a number: leaving out must not multiply."""
    row = tf.constant([[1.0], [broken]])
    keep = tf.constant([True, False])
    for form in (
        Instantiated(row * tf.ones((2, 3))),
        OuterProduct(row * tf.ones((2, 3)), tf.ones((2, 4))),
        OuterProduct(tf.ones((2, 3)), row * tf.ones((2, 4))),
        GramProducts(row[:, None] * tf.ones((2, 5, 3)), tf.ones((2, 5, 4)), (3, 4)),
        GramProducts(tf.ones((2, 5, 3)), row[:, None] * tf.ones((2, 5, 4)), (3, 4)),
        LookedUpRows(tf.zeros((2, 5), tf.int32), row[:, None] * tf.ones((2, 5, 4)), 3),
    ):
        assert not np.isfinite(form.squared_norms().numpy()[1])
        assert np.isfinite(form.where(keep).weighted_sum(tf.constant([1.0, 0.0])).numpy()).all()


@given(st.floats(-17.0, 17.0), st.floats(-17.0, 17.0))
def test_norm_of_a_product_is_never_read_too_small(left, right):
    """Where the norm is a finite float32 it is right; otherwise it must not read as small."""
    a, b = np.float32(10**left), np.float32(10**right)
    squares = OuterProduct(tf.fill((1, 3), a), tf.fill((1, 2), b)).squared_norms().numpy()[0]
    expected = 6.0 * float(a) ** 2 * float(b) ** 2
    if 1e-30 < expected < 1e38:
        assert squares == pytest.approx(expected, rel=1e-5)
    elif expected >= 1e39:
        assert not np.isfinite(squares)


def test_total_of_one_is_itself():
    form = FORMS["outer product"]()
    assert total([form]) is form


VIEWS = 3
ROWS = {
    "pairs of pixels": lambda: PixelGram(
        convolution(), random(EXAMPLES * VIEWS, 5, 4, 3), random(EXAMPLES * VIEWS, 3, 2, 6), 1
    ),
    "instantiated": lambda: Instantiated(random(EXAMPLES * VIEWS, 4, 3)),
    "outer product": lambda: OuterProduct(random(EXAMPLES * VIEWS, 6), random(EXAMPLES * VIEWS, 4)),
    "gram products": lambda: GramProducts(
        random(EXAMPLES * VIEWS, 2, 40), random(EXAMPLES * VIEWS, 2, 30), (40, 30)
    ),
    "looked-up rows": lambda: LookedUpRows(
        tf.constant(np.arange(EXAMPLES * VIEWS * 2).reshape(-1, 2) % 5, tf.int32),
        random(EXAMPLES * VIEWS, 2, 3),
        5,
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_views_of_an_example_add_up(name):
    rows = ROWS[name]()
    values = rows.instantiate().numpy()
    expected = values.reshape(EXAMPLES, VIEWS, *values.shape[1:]).sum(axis=1)
    summed = rows.of_examples(VIEWS)
    np.testing.assert_allclose(summed.instantiate(), expected, atol=1e-5)
    squares = (expected.reshape(EXAMPLES, -1).astype("float64") ** 2).sum(axis=1)
    np.testing.assert_allclose(summed.squared_norms(), squares, rtol=2e-5)
    np.testing.assert_array_equal(rows.of_examples(1).instantiate(), values)


@pytest.mark.parametrize(("positions", "form"), [(2, GramProducts), (64, Instantiated)])
def test_the_cheaper_form_is_chosen_and_both_are_equal(positions, form):
    left, right = random(EXAMPLES, positions, 40), random(EXAMPLES, positions, 30)
    chosen = PositionProducts(left, right, (40, 30)).of_examples(1)
    assert isinstance(chosen, form)
    products = np.einsum("btm,btn->bmn", left.numpy().astype("float64"), right)
    squares = (products**2).sum(axis=(1, 2))
    for either in (chosen, GramProducts(left, right, (40, 30))):
        np.testing.assert_allclose(either.squared_norms(), squares, rtol=2e-5)
        np.testing.assert_allclose(either.instantiate(), products, atol=1e-4)


def test_cost_is_counted_by_shape():
    """Few positions and wide layers are cheaper by Gram matrices, large images are not."""
    assert gram_is_cheaper(positions=1, inputs=512, outputs=10)
    assert gram_is_cheaper(positions=16, inputs=9 * 256, outputs=256)
    assert not gram_is_cheaper(positions=16 * 16, inputs=9 * 33, outputs=128)


@given(st.floats(0.0, 7.0), st.integers(0, 1000))
def test_norms_of_gram_products_are_never_shorter_than_what_is_added(size, seed):
    """Also where positions cancel, so that the sum is little more than rounding."""
    generator = np.random.default_rng(seed)
    left = generator.normal(size=(1, 8, 5)).astype("float32")
    left[:, 4:] = -left[:, :4]
    right = np.repeat(generator.normal(size=(1, 4, 3)), 2, axis=1).astype("float32")
    right[:, 4:] = right[:, :4] * np.float32(1 + 10.0**-size)
    form = GramProducts(tf.constant(left), tf.constant(right), (5, 3))
    added = form.weighted_sum(tf.ones(1)).numpy().astype("float64")
    assert form.squared_norms().numpy()[0] >= (added**2).sum() * (1 - 1e-6)
