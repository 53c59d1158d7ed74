"""Rules of group convolutions and field normalisation, for every way to configure them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_gradients import LOSS, examples_of, gradients_one_at_a_time, relative_error

from tfdpzoo.dpsgd.clipped_sum import clipped_gradient_sum
from tfdpzoo.dpsgd.gradients import GramProducts, Instantiated
from tfdpzoo.dpsgd.per_example import differentiate
from tfdpzoo.dpsgd.rules import rule_for
from tfdpzoo.dpsgd.rules.group_convolution import StandardizedKernel
from tfdpzoo.layers import FieldNormalization, GroupConv2D, LiftingConv2D
from tfdpzoo.layers.weight_standardization import standardization_slope

layers = keras.layers

KINDS = [LiftingConv2D, GroupConv2D]
GROUPS = ["C1", "C2", "C4", "D1", "D2", "D4"]
VIEWS = [1, 3]


def model_with(layer: layers.Layer, shape: tuple[int, ...], seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input(shape), layer, layers.Flatten(), layers.Dense(2)])
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        # A step that no fan-in makes large: a saturated loss has gradients of rounding alone.
        step = 0.2 / np.sqrt(np.prod(variable.shape[:-1]))
        variable.assign(variable.numpy() + step * random.normal(size=variable.shape))
    assert rule_for(layer) is not None
    return model


def check(model: keras.Model, views: int = 1, examples: int = 3, seed: int = 0) -> list:
    """Compares with one example at a time; an example's loss is the mean over its views."""
    random = np.random.default_rng(seed)
    rows = (examples * views, *model.input_shape[1:])
    images = random.normal(size=rows).astype("float32")
    labels = np.repeat(random.integers(0, 2, examples), views)
    found = differentiate(model, LOSS, tf.constant(images), tf.constant(labels), views=views)
    of_rows = gradients_one_at_a_time(model, images, labels)
    expected = [row.reshape(examples, views, *row.shape[1:]).mean(axis=1) for row in of_rows]
    by_example = examples_of(found, examples)
    for example in range(examples):
        one, other = ([row[example] for row in side] for side in (by_example, expected))
        assert relative_error(one, other) < 1e-5
    squares = sum(gradient.squared_norms() for gradient in found.gradients)
    norms = sum((row.reshape(examples, -1) ** 2).sum(axis=1) for row in expected)
    np.testing.assert_allclose(squares, norms, rtol=1e-4)
    return found.gradients


@settings(max_examples=20)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(GROUPS),
    st.integers(1, 4),
    st.tuples(st.integers(1, 2), st.sampled_from([1, 2, 20])),
    st.one_of(st.integers(1, 3).map(lambda s: (s, 1)), st.integers(1, 2).map(lambda d: (1, d))),
    st.sampled_from(["same", "valid"]),
    st.tuples(st.booleans(), st.booleans(), st.sampled_from([None, "tanh"])),
    st.sampled_from(VIEWS),
    st.integers(0, 99),
)
def test_group_convolutions(kind, group, size, fields, steps, padding, choices, views, seed):
    strides, dilation = steps
    standardized, use_bias, activation = choices
    assume((size - 1) * dilation + 1 <= 6)
    assume(size % 2 or "D" not in group)
    layer = kind(
        fields[1], size, group, strides=strides, dilation_rate=dilation, padding=padding,
        use_bias=use_bias, activation=activation, weight_standardization=standardized,
    )  # fmt: skip
    channels = fields[0] * layer.expansion.input_order
    check(model_with(layer, (6, 7, channels), seed), views, seed=seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("group", ["C1", "D2", "D4"])
@pytest.mark.parametrize("standardized", [True, False])
@pytest.mark.parametrize("views", VIEWS)
def test_ring_basis(kind, group, standardized, views):
    layer = kind(3, 3, group, basis="rings", weight_standardization=standardized, padding="same")
    check(model_with(layer, (5, 5, 2 * layer.expansion.input_order)), views)


def test_few_positions_and_many_fields_are_never_instantiated():
    """One patch, moved by four elements, beside 48 fields: Gram matrices are cheaper."""
    layer = GroupConv2D(48, 3, "p4", use_bias=False)
    gradients = check(model_with(layer, (3, 3, 32)))
    assert isinstance(gradients[0], GramProducts)


@pytest.mark.parametrize("rest", [0.0, 1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("removed", ["direction", "mean"])
def test_no_norm_of_a_standardised_kernel_is_below_what_is_added(removed, rest):
    """Gradients that standardisation removes, so that next to nothing is left for the kernel."""
    layer = GroupConv2D(8, 3, "p4", weight_standardization=True)
    layer.build((None, 8, 8, 32))
    direction = standardization_slope(layer.kernel.value).direction
    away = direction if removed == "direction" else tf.ones_like(direction)
    random = np.random.default_rng(0)
    for _ in range(20):
        others = rest * random.normal(size=direction.shape).astype("float32")
        gradients = StandardizedKernel(layer, Instantiated((1e3 * away + others)[None]))
        added = np.linalg.norm(gradients.weighted_sum(tf.ones(1)))
        assert added <= np.sqrt(gradients.squared_norms().numpy().item())


@pytest.mark.parametrize(("groups", "group"), [(1, "p4m"), (2, "p4"), (3, "C1")])
@pytest.mark.parametrize(("scale", "center"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("views", VIEWS)
def test_field_normalization(groups, group, scale, center, views):
    layer = FieldNormalization(groups, group, scale=scale, center=center)
    check(model_with(layer, (4, 5, 24)), views)


def test_a_stack_gives_the_clipped_sum_of_its_examples():
    """Every layer at once, each standardised, and clipped in chunks within a graph."""
    keras.utils.set_random_seed(0)
    arguments = {"padding": "same", "activation": "mish", "weight_standardization": True}
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            LiftingConv2D(2, 3, "p4m", basis="rings", **arguments),
            FieldNormalization(1, "p4m"),
            GroupConv2D(3, 3, "p4m", **arguments),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    random = np.random.default_rng(0)
    images, labels = random.normal(size=(4, 6, 6, 1)).astype("float32"), np.array([0, 1, 1, 0])
    expected = gradients_one_at_a_time(model, images, labels)
    norms = np.sqrt(sum((row.reshape(4, -1) ** 2).sum(axis=1) for row in expected))
    found = clipped_gradient_sum(model, LOSS, images, labels, float(np.median(norms)), chunk=2)
    np.testing.assert_allclose(found.norms, norms, rtol=1e-4)
    factors = np.minimum(1.0, np.median(norms) / norms)
    sums = [np.tensordot(factors, row, axes=1) for row in expected]
    assert relative_error(found.gradients, sums) < 1e-5
