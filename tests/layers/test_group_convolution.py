"""Group convolutions: GrouPy's numbers, equivariance to float precision, and use in Keras."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tfdpzoo.errors import InputError
from tfdpzoo.layers import GroupConv2D, LiftingConv2D
from tfdpzoo.layers.equivariance import equivariance_error, move_features, move_images
from tfdpzoo.layers.filter_expansion import keeps_grid, ring_basis
from tfdpzoo.layers.groups import square_group

KINDS = [LiftingConv2D, GroupConv2D]
GROUPS = ["C1", "C2", "C4", "D1", "D2", "D4"]


def random_layer(kind, channels, *arguments, seed=0, **named):
    layer = kind(*arguments, **named)
    layer.build((None, None, None, channels))
    random = np.random.default_rng(seed)
    for variable in layer.trainable_variables:
        variable.assign(random.normal(size=variable.shape))
    return layer


def naive_filters(kernel: np.ndarray, group_order: int) -> np.ndarray:
    """Filters of C4 (order 4) or D4 (order 8) element by element, after GrouPy's definition."""

    def move(grid, m, r):
        turned = np.rot90(grid, r)
        return np.flip(turned, axis=0) if m else turned

    lifts = kernel.ndim == 4
    size, inputs, fields = kernel.shape[0], *kernel.shape[-2:]
    elements = [(h // 4, h % 4) for h in range(group_order)]
    order = 1 if lifts else group_order
    filters = np.zeros((size, size, inputs * order, fields * group_order))
    for i, o, (h_out, (m_out, r_out)) in itertools.product(
        range(inputs), range(fields), enumerate(elements)
    ):
        if lifts:
            filters[:, :, i, o * group_order + h_out] = move(kernel[:, :, i, o], m_out, r_out)
            continue
        for h_in, (m_in, r_in) in enumerate(elements):
            m, r = (0, r_in - r_out) if m_in == m_out else (1, r_in + r_out)
            grid = kernel[:, :, 4 * m + r % 4, i, o]
            filters[:, :, i * order + h_in, o * group_order + h_out] = move(grid, m_out, r_out)
    return filters


def naive_convolution(images: np.ndarray, filters: np.ndarray, padding: int) -> np.ndarray:
    """Stride 1, `padding` zeros on every side; in float64."""
    padded = np.pad(images.astype("float64"), [(0, 0), *[(padding, padding)] * 2, (0, 0)])
    size = filters.shape[0]
    height, width = (side - size + 1 for side in padded.shape[1:3])
    return sum(
        padded[:, u : u + height, v : v + width] @ filters[u, v]
        for u in range(size)
        for v in range(size)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("group", "size"), [("p4", 3), ("p4", 5), ("p4m", 3), ("p4m", 5), ("p4", 2), ("p4", 4)]
)
def test_outputs_are_those_of_groupy(kind, group, size):
    order = square_group(group).order
    channels = 3 if kind is LiftingConv2D else 2 * order
    layer = random_layer(kind, channels, 3, size, group)
    images = np.random.default_rng(1).normal(size=(2, 7, 6, channels)).astype("float32")
    filters = naive_filters(layer.kernel.numpy(), order)
    np.testing.assert_allclose(layer.filters()[0], filters, rtol=1e-6)
    expected = naive_convolution(images, filters, 0) + np.repeat(layer.bias.numpy(), order)
    np.testing.assert_allclose(layer(images), expected, atol=1e-4)


def test_outputs_with_padding_are_those_of_groupy():
    layer = random_layer(GroupConv2D, 16, 3, 3, "p4m", padding="same", use_bias=False)
    images = np.random.default_rng(1).normal(size=(2, 6, 6, 16)).astype("float32")
    expected = naive_convolution(images, naive_filters(layer.kernel.numpy(), 8), 1)
    np.testing.assert_allclose(layer(images), expected, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_of_variables(kind):
    layer = random_layer(kind, 24, 5, 3, "p4m")
    shape = (3, 3, 24, 5) if kind is LiftingConv2D else (3, 3, 8, 3, 5)
    assert [tuple(v.shape) for v in layer.trainable_variables] == [shape, (5,)]
    rings = random_layer(kind, 24, 5, 3, "p4m", basis="rings", use_bias=False)
    shape = (8, 24, 5) if kind is LiftingConv2D else (8, 8, 3, 5)
    assert [tuple(v.shape) for v in rings.trainable_variables] == [shape]


@settings(max_examples=30)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(GROUPS),
    st.integers(1, 5),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.one_of(st.integers(1, 3).map(lambda s: (s, 1)), st.integers(1, 2).map(lambda d: (1, d))),
    st.sampled_from(["same", "valid"]),
    st.integers(5, 12),
    st.booleans(),
    st.integers(0, 99),
)
def test_equivariance(kind, group, size, fields, steps, padding, side, standardized, seed):
    strides, dilation = steps
    assume((size - 1) * dilation + 1 <= side)
    assume(keeps_grid(side, size, strides, dilation, padding))
    group = square_group(group)
    channels = fields[0] * (1 if kind is LiftingConv2D else group.order)
    layer = random_layer(
        kind, channels, fields[1], size, group.name, seed=seed, strides=strides,
        dilation_rate=dilation, padding=padding, weight_standardization=standardized,
        activation="selu",
    )  # fmt: skip
    images = np.random.default_rng(seed).normal(size=(2, side, side, channels)).astype("float32")
    move = move_images if kind is LiftingConv2D else move_features
    assert equivariance_error(layer, images, group, move_inputs=move) < 1e-5


@pytest.mark.parametrize("group", GROUPS)
def test_equivariance_of_the_ring_basis(group):
    group = square_group(group)
    layer = random_layer(
        GroupConv2D, 2 * group.order, 3, 3, group.name, padding="same", basis="rings"
    )
    images = np.random.default_rng(0).normal(size=(2, 7, 7, 2 * group.order)).astype("float32")
    assert equivariance_error(layer, images, group) < 1e-5


def test_a_convolution_that_leaves_out_a_border_is_not_equivariant():
    """The condition on strides is needed: what it excludes is off by as much as the output."""
    layer = random_layer(LiftingConv2D, 1, 2, 3, "p4", strides=2, padding="same")
    images = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype("float32")
    assert equivariance_error(layer, images, square_group("p4"), move_inputs=move_images) > 0.1


def test_ring_basis_lacks_edges_against_corners_and_is_kept_by_all_symmetries():
    basis = ring_basis()
    np.testing.assert_allclose(np.linalg.norm(basis, axis=0), 1)
    projection = basis @ np.linalg.pinv(basis)
    assert np.trace(projection) == pytest.approx(8)
    for action in square_group("D4").grid_action(3):
        np.testing.assert_allclose(projection[action][:, action], projection, atol=1e-12)
    missing = np.linalg.svd(basis)[0][:, -1].reshape(3, 3)
    assert missing[1, 1] == pytest.approx(0, abs=1e-12)
    assert np.sign(missing[0, 1]) == -np.sign(missing[0, 0]) != 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("basis", ["pixels", "rings"])
def test_standardised_kernels_have_a_fixed_spread(kind, basis):
    """And the published one: 3x3 filters of D2 have the standard deviation 0.472."""
    layer = random_layer(
        kind, 40, 30, 3, "D2", basis=basis, weight_standardization=True, use_bias=False
    )
    filters = layer.filters()[0].numpy()
    assert filters.std() == pytest.approx(0.5 if basis == "pixels" else 0.4714, rel=0.02)
    layer.kernel.assign(3 * layer.kernel + 7)
    np.testing.assert_allclose(layer.filters()[0], filters, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"group": "p4", "strides": 2, "padding": "same", "use_bias": False},
        {"group": "D2", "dilation_rate": (2, 2), "activation": "mish", "name": "third"},
        {"basis": "rings", "weight_standardization": True, "dtype": "mixed_bfloat16"},
        {"kernel_initializer": "he_normal", "kernel_regularizer": keras.regularizers.L2(0.1)},
    ],
)
def test_configuration_round_trip(kind, arguments):
    layer = kind(5, 3, **arguments)
    before = layer.get_config()
    layer.build((None, 9, 9, 16))
    assert layer.get_config() == before
    again = kind.from_config(before)
    assert again.get_config() == before
    again.build((None, 9, 9, 16))
    assert again.count_params() == layer.count_params()
    assert again.compute_dtype == layer.compute_dtype


def test_saved_and_loaded_it_is_the_same(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            LiftingConv2D(2, 3, "p4m", padding="same", activation="selu"),
            GroupConv2D(2, 3, "p4m", basis="rings", weight_standardization=True),
        ]
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    np.testing.assert_array_equal(loaded(images), model(images))


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_may_be_unknown(kind):
    inputs = keras.Input((None, None, 16))
    layer = kind(3, 3, "p4m", strides=2, padding="same")
    outputs = layer(inputs)
    assert outputs.shape == (None, None, None, 24)
    model = keras.Model(inputs, outputs)
    for batch, side in [(1, 7), (3, 9)]:
        shape = (batch, side, side, 16)
        assert model(np.zeros(shape, "float32")).shape == layer.compute_output_shape(shape)
    assert kind(3, 3, "p4")(keras.Input((9, 7, 16))).shape == (None, 7, 5, 12)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_computes_in_bfloat16_with_float32_weights(kind):
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 8)).astype("float32")
    arguments = {"basis": "rings", "weight_standardization": True}
    mixed = random_layer(kind, 8, 2, 3, "p4", dtype="mixed_bfloat16", **arguments)
    outputs = mixed(images)
    assert outputs.dtype == "bfloat16"
    assert {variable.dtype for variable in mixed.variables} == {"float32"}
    expected = random_layer(kind, 8, 2, 3, "p4", **arguments)(images).numpy()
    error = np.linalg.norm(np.asarray(outputs, "float32") - expected) / np.linalg.norm(expected)
    assert error < 0.02


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("use_bias", [True, False])
def test_baked_filters_give_the_same_output(kind, use_bias):
    layer = random_layer(kind, 8, 2, 3, "p4", use_bias=use_bias, activation="selu")
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 8)).astype("float32")
    expected = layer(images).numpy()
    with layer.baked() as made:
        assert [each.name for each in made] == ["filters", "biases"][: 1 + use_bias]
        layer.kernel.assign(0 * layer.kernel)
        np.testing.assert_array_equal(layer(images), expected)
    assert not np.allclose(layer(images), expected)


@pytest.mark.parametrize("kind", [LiftingConv2D, GroupConv2D])
@pytest.mark.parametrize("arguments", [{}, {"use_bias": False, "dilation_rate": 2}])
def test_a_plain_convolution_with_the_baked_filters_gives_the_same_output(kind, arguments):
    layer = random_layer(kind, 8, 2, 3, "p4", padding="same", activation="selu", **arguments)
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 8)).astype("float32")
    plain = layer.plain_convolution()
    plain.build(images.shape)
    with layer.baked() as made:
        for variable, value in zip(plain.weights, made, strict=True):
            variable.assign(value)
    assert type(plain) is keras.layers.Conv2D
    np.testing.assert_allclose(plain(images), layer(images), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "arguments", "text"),
    [
        (GroupConv2D, {}, "channels that are a multiple of 8, one for each element of the group"),
        (LiftingConv2D, {"group": "p8"}, "no group named 'p8'; did you mean"),
        (LiftingConv2D, {"kernel_size": 2, "padding": "same"}, "A kernel of the even size 2"),
        (LiftingConv2D, {"kernel_size": 2, "strides": 2}, "an image of 9 pixels"),
        (LiftingConv2D, {"kernel_size": (3, 5)}, "kernel_size is .3, 5.; a quarter turn needs"),
        (LiftingConv2D, {"kernel_size": 0}, "kernel_size is 0; it must be a whole number"),
        (LiftingConv2D, {"fields": 1.5}, "fields is 1.5; it must be a whole number"),
        (LiftingConv2D, {"padding": "full"}, "no padding named 'full'"),
        (LiftingConv2D, {"basis": "ring"}, "no basis of filters named 'ring'; did you mean"),
        (LiftingConv2D, {"basis": "rings", "kernel_size": 5}, "but kernel_size is 5"),
        (LiftingConv2D, {"strides": 2, "dilation_rate": 2}, "only one of the two can be above 1"),
    ],
)  # fmt: skip
def test_bad_arguments_are_one_sentence(kind, arguments, text):
    with pytest.raises(InputError, match=text):
        kind(**{"fields": 2, "kernel_size": 3, **arguments}).build((None, 9, 9, 12))


def test_even_kernels_are_allowed_where_the_grid_is_kept():
    LiftingConv2D(2, 2, "p4m").build((None, 8, 8, 1))
    LiftingConv2D(2, 2, "p4m", strides=2, padding="same").build((None, 8, 8, 1))
    LiftingConv2D(2, 2, "p4", padding="same").build((None, 8, 8, 1))
