"""The SmoothNet block, stage by stage and against its formula."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.layers import SmoothBlock
from tfdpzoo.layers.smooth import ACTIVATIONS, NORMALIZATIONS, POOLINGS, largest_divisor

IMAGES = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype("float32")


def built(channels: int = 8, **arguments) -> SmoothBlock:
    keras.utils.set_random_seed(0)
    block = SmoothBlock(channels, **arguments)
    block.build((None, *IMAGES.shape[1:]))
    random = np.random.default_rng(1)
    for variable in block.trainable_variables:
        variable.assign(variable.numpy() + 0.3 * random.normal(size=variable.shape))
    return block


def by_formula(block: SmoothBlock, images: np.ndarray) -> np.ndarray:
    """Convolution, 3x3 max-pooling, groups of channels normalised, SELU; in float64."""
    kernel, gamma, beta = (variable.numpy().astype("float64") for variable in block.weights)
    batch, height, width, _ = images.shape
    padded = np.pad(images.astype("float64"), [(0, 0), (1, 1), (1, 1), (0, 0)])
    features = np.zeros((batch, height, width, kernel.shape[-1]))
    for row in range(3):
        for column in range(3):
            window = padded[:, row : row + height, column : column + width]
            features += window @ kernel[row, column]
    padded = np.pad(features, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    windows = [
        padded[:, row : row + height, column : column + width]
        for row in range(3)
        for column in range(3)
    ]
    pooled = np.max(windows, axis=0)
    groups = min(8, kernel.shape[-1])
    grouped = pooled.reshape(batch, height, width, groups, -1)
    mean = grouped.mean(axis=(1, 2, 4), keepdims=True)
    variance = grouped.var(axis=(1, 2, 4), keepdims=True)
    normalized = ((grouped - mean) / np.sqrt(variance + 1e-5)).reshape(pooled.shape)
    values = normalized * gamma + beta
    return 1.0507009873554805 * np.where(
        values > 0, values, 1.6732632423543772 * (np.exp(np.minimum(values, 0)) - 1)
    )


@pytest.mark.parametrize("channels", [1, 4, 8, 16])
def test_formula(channels):
    """The epsilon of PyTorch, 1e-5: Keras' own would be off by 1e-3."""
    block = built(channels)
    np.testing.assert_allclose(block(IMAGES), by_formula(block, IMAGES), atol=2e-5)


def test_variables_are_kernel_gamma_beta():
    assert [variable.name for variable in built().trainable_variables] == [
        "kernel",
        "gamma",
        "beta",
    ]
    assert [tuple(v.shape) for v in built().trainable_variables] == [(3, 3, 3, 8), (8,), (8,)]
    separable = built(separable=True)
    shapes = [tuple(variable.shape) for variable in separable.trainable_variables]
    assert shapes == [(3, 3, 3, 1), (1, 1, 3, 8), (8,), (8,)]
    assert [v.name for v in built(normalization="none").trainable_variables] == ["kernel"]


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("separable", [False, True])
def test_choices_keep_the_size_and_the_examples_apart(pooling, normalization, separable):
    block = built(pooling=pooling, normalization=normalization, separable=separable)
    outputs = block(IMAGES).numpy()
    assert outputs.shape == (2, 6, 5, 8) == block.compute_output_shape(IMAGES.shape)
    for index in range(2):
        alone = block(IMAGES[index : index + 1]).numpy()
        np.testing.assert_allclose(alone[0], outputs[index], atol=1e-5)


@pytest.mark.parametrize(
    ("normalization", "channels", "groups"),
    [("group", 16, 8), ("group", 4, 4), ("group", 12, 6), ("layer", 16, 1), ("instance", 16, 16)],
)
def test_groups(normalization, channels, groups):
    block = built(channels, normalization=normalization)
    (layer,) = (
        part
        for part in block._flatten_layers()
        if isinstance(part, keras.layers.GroupNormalization)
    )
    assert layer.groups == groups and layer.epsilon == 1e-5


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation):
    block = built(activation=activation)
    linear = built(activation="linear")
    expected = keras.activations.get(activation)(linear(IMAGES))
    np.testing.assert_allclose(block(IMAGES), expected, atol=1e-6)


def test_strides_and_padding():
    block = built(kernel_size=2, strides=2, padding="valid")
    assert block(IMAGES).shape == (2, 3, 2, 8) == block.compute_output_shape(IMAGES.shape)
    assert block.compute_output_shape((None, 6, 5, 3)) == (None, 3, 2, 8)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"kernel_size": 2, "strides": 2, "padding": "valid", "separable": True},
        {"pooling": "average", "normalization": "instance", "activation": "mish"},
        {"kernel_initializer": "he_normal", "name": "third", "dtype": "mixed_bfloat16"},
    ],
)
def test_configuration_round_trip(arguments):
    """Every argument is in the configuration, which building does not change."""
    block = SmoothBlock(8, **arguments)
    before = block.get_config()
    block.build((None, 6, 5, 3))
    assert block.get_config() == before
    for name, value in arguments.items():
        if name not in ("kernel_initializer", "dtype"):
            assert before[name] == value
    again = SmoothBlock.from_config(before)
    assert again.get_config() == before
    again.build((None, 6, 5, 3))
    assert again.count_params() == block.count_params()
    assert again.compute_dtype == block.compute_dtype


def test_saved_and_loaded_it_is_the_same(tmp_path):
    model = keras.Sequential([keras.Input((6, 5, 3)), SmoothBlock(8, separable=True)])
    model.save(tmp_path / "block.keras")
    loaded = keras.models.load_model(tmp_path / "block.keras")
    np.testing.assert_array_equal(loaded(IMAGES), model(IMAGES))


def test_bfloat16_computes_in_bfloat16_with_float32_weights():
    block = built(dtype="mixed_bfloat16")
    assert block(IMAGES).dtype == "bfloat16"
    assert {variable.dtype for variable in block.variables} == {"float32"}
    np.testing.assert_allclose(np.asarray(block(IMAGES), "float32"), built()(IMAGES), atol=0.1)


def test_kernels_of_one_initializer_object_differ():
    initializer = keras.initializers.GlorotUniform()
    blocks = [SmoothBlock(8, kernel_initializer=initializer) for _ in range(2)]
    for block in blocks:
        block.build((None, 6, 5, 3))
    assert not np.allclose(*(block.trainable_variables[0].numpy() for block in blocks))


@pytest.mark.parametrize(
    ("argument", "value", "text"),
    [
        ("pooling", "avg", "no pooling named 'avg'"),
        ("normalization", "batch", "no normalization named 'batch'"),
        ("activation", "sleu", "no activation named 'sleu'; did you mean 'selu'"),
    ],
)
def test_unknown_choices_are_one_sentence(argument, value, text):
    with pytest.raises(InputError, match=text):
        SmoothBlock(8, **{argument: value})


def test_largest_divisor():
    for number in range(1, 50):
        found = largest_divisor(number, 8)
        assert number % found == 0 and found <= 8
        assert all(number % larger for larger in range(found + 1, min(number, 8) + 1))
