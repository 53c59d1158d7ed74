"""SmoothNet is the paper's: parameters, creation order, logits, and every ablation and size."""

from __future__ import annotations

import itertools
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdpzoo.errors import InputError
from tfdpzoo.layers import SmoothBlock
from tfdpzoo.zoo.smoothnet.architecture import CONNECTIONS, smoothnet

REFERENCE = Path(__file__).with_name("smoothnet_reference.npz")


@pytest.mark.parametrize(
    ("width", "depth", "parameters"),
    [
        (8, 5, 3_391_853),
        (8, 1, 601_069),
        (8, 8, 8_237_453),
        (5, 5, 1_472_825),
        (5, 1, 379_465),
        (1, 5, 146_121),
        (1, 1, 101_017),
    ],
)
def test_parameters_of_the_paper(width, depth, parameters):
    """The authors' networks for 32x32x3 and 10 classes, counted in PyTorch."""
    model = smoothnet(width, depth)
    assert model.count_params() == parameters
    assert sum(np.prod(v.shape) for v in model.trainable_variables) == parameters


def test_defaults_are_w80d50():
    assert smoothnet().count_params() == 3_391_853


def expected_shapes(width, depth, channels, classes) -> list[tuple[int, ...]]:
    """Written down from the paper: per block kernel, gamma, beta; the transition; three dense."""
    first, second = int(8 * width), int(16 * width)
    shapes, seen = [], channels
    for _ in range(depth):
        shapes += [(3, 3, seen, first), (first,), (first,)]
        seen += first
    shapes.append((1, 1, seen, seen // 2))
    seen //= 2
    for _ in range(depth):
        shapes += [(3, 3, seen, second), (second,), (second,)]
        seen += second
    sizes = (16 * second, 256, 128, classes)
    for inputs, outputs in itertools.pairwise(sizes):
        shapes += [(inputs, outputs), (outputs,)]
    return shapes


@pytest.mark.parametrize(("width", "depth", "channels"), [(1, 1, 1), (2.5, 3, 3), (0.125, 2, 3)])
def test_variables_in_order_of_creation(width, depth, channels):
    model = smoothnet(width, depth, (16, 12, channels), 7)
    shapes = [tuple(variable.shape) for variable in model.trainable_variables]
    assert shapes == expected_shapes(width, depth, channels, 7)
    block = model.get_layer("stage0_block0")
    assert [variable.name for variable in block.trainable_variables] == ["kernel", "gamma", "beta"]
    assert not model.non_trainable_variables


def drawn(random: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """As `make_smoothnet_reference.py` draws a variable, in Keras' layout."""
    values = random.standard_normal(shape)
    if len(shape) == 1:
        return 0.5 + 0.5 * values
    return values * np.sqrt(2.0 / np.prod(shape[:-1]))


@pytest.mark.parametrize("index", range(7))
def test_logits_equal_pytorch(index):
    """Against an implementation in PyTorch after the authors' code; see how it was made there.

    Logits are of the order of 10 and normalisation is involved: 1e-4 of the largest.
    """
    reference = np.load(REFERENCE)
    width, depth, *sizes = reference["configurations"][index]
    rows, columns, channels, classes = map(int, sizes)
    model = smoothnet(width, int(depth), (rows, columns, channels), classes)
    random = np.random.RandomState(index)
    for variable in model.trainable_variables:
        variable.assign(drawn(random, tuple(variable.shape)).astype("float32"))
    images = random.standard_normal((3, rows, columns, channels)).astype("float32")
    expected = reference[f"logits{index}"]
    found = model(images).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("connections", CONNECTIONS)
@pytest.mark.parametrize("side", [(8, 8), (9, 8), (11, 14), (17, 32)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_from_eight(connections, side, channels):
    model = smoothnet(1, 1, (*side, channels), 4, connections=connections)
    logits = model(np.random.default_rng(0).normal(size=(2, *side, channels)).astype("float32"))
    assert logits.shape == (2, 4)
    assert np.isfinite(logits).all()
    # The size of the image does not change the number of weights.
    assert (
        model.count_params()
        == smoothnet(1, 1, (16, 16, channels), 4, connections=connections).count_params()
    )


@pytest.mark.parametrize("connections", CONNECTIONS)
@pytest.mark.parametrize("separable", [False, True])
def test_ablations_build_and_have_the_layers_that_they_say(connections, separable):
    for pooling, normalization, activation in [
        ("max", "group", "relu"),
        ("average", "layer", "leaky_relu"),
        ("none", "instance", "tanh"),
        ("max", "none", "mish"),
    ]:
        model = smoothnet(
            1,
            2,
            (12, 12, 3),
            4,
            connections=connections,
            separable=separable,
            pooling=pooling,
            normalization=normalization,
            activation=activation,
        )
        kinds = [type(layer).__name__ for layer in model._flatten_layers(include_self=False)]
        assert ("DepthwiseConv2D" in kinds) == separable
        assert ("MaxPooling2D" in kinds) == (pooling == "max")
        assert ("GroupNormalization" in kinds) == (normalization != "none")
        assert "BatchNormalization" not in kinds
        gradients = gradient_norms(model)
        assert np.isfinite(gradients).all() and max(gradients) > 0


def gradient_norms(model: keras.Model) -> list[float]:
    images = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype("float32")
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.square(model(images)))
    gradients = tape.gradient(total, [variable.value for variable in model.trainable_variables])
    return [float(tf.norm(gradient)) for gradient in gradients]


def test_every_weight_of_the_paper_s_network_has_a_gradient():
    """A block whose output goes nowhere would have none."""
    assert min(gradient_norms(smoothnet(1, 3, (16, 16, 3), 4))) > 0


def test_residual_unit_without_weights_passes_its_input_on():
    """With kernels of zero only the shortcut is left: the activation of the padded image."""
    model = smoothnet(1, 1, (8, 8, 1), 4, connections="residual", activation="relu")
    block = [layer for layer in model.layers if isinstance(layer, SmoothBlock)][:2]
    for variable in (v for layer in block for v in layer.trainable_variables):
        variable.assign(np.zeros(variable.shape))
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    inner = keras.Model(model.input, model.get_layer("stage0_block0_activation").output)
    outputs = inner(images).numpy()
    np.testing.assert_allclose(outputs[..., :1], np.maximum(images, 0), atol=1e-6)
    np.testing.assert_array_equal(outputs[..., 1:], 0)


@pytest.mark.parametrize(
    "initializer",
    ["glorot_uniform", "he_normal", pytest.param(keras.initializers.HeUniform(), id="object")],
)
def test_initial_weights_differ_from_layer_to_layer_and_from_model_to_model(initializer):
    """Keras gives one initialiser the same numbers each time, so that none may be shared."""
    kernels = []
    for _ in range(2):
        model = smoothnet(1, 3, (8, 8, 1), 4, connections="plain", kernel_initializer=initializer)
        blocks = [model.get_layer(f"stage0_block{index}") for index in (1, 2)]
        kernels += [block.trainable_variables[0].numpy() for block in blocks]
    assert {kernel.shape for kernel in kernels} == {(3, 3, 8, 8)}
    for one, other in itertools.combinations(kernels, 2):
        assert not np.allclose(one, other)


def test_global_seed_repeats_the_weights():
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        models.append(smoothnet(1, 1, (8, 8, 1), 4))
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("connections", CONNECTIONS)
def test_saved_and_loaded_it_is_the_same(connections, tmp_path):
    model = smoothnet(1, 1, (9, 8, 3), 4, connections=connections, separable=True)
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    images = np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype("float32")
    np.testing.assert_allclose(loaded(images), model(images), atol=1e-6)
    assert loaded.count_params() == model.count_params()
    shapes = [variable.shape for variable in model.trainable_variables]
    assert [variable.shape for variable in loaded.trainable_variables] == shapes


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"width": 0.1}, "width is 0.1; SmoothNet needs a number from 0.125"),
        ({"width": -1}, "width is -1"),
        ({"depth": 0}, "depth is 0; SmoothNet needs a whole number of blocks"),
        ({"depth": 1.5}, "depth is 1.5"),
        ({"classes": 1}, "classes is 1; a classifier needs a whole number from 2 on"),
        ({"input_shape": (7, 8, 3)}, r"input_shape is \(7, 8, 3\); SmoothNet takes"),
        ({"input_shape": (8, 8, 2)}, "1 or 3 channels"),
        ({"input_shape": (8, 8)}, r"input_shape is \(8, 8\)"),
        (
            {"connections": "densely"},
            "no kind of connections named 'densely'; did you mean 'dense'",
        ),
        ({"pooling": "maximum"}, "no pooling named 'maximum'"),
        ({"normalization": "batch"}, "no normalization named 'batch'"),
        ({"activation": "sleu"}, "no activation named 'sleu'; did you mean 'selu'"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments, text):
    with pytest.raises(InputError, match=text):
        smoothnet(**{"width": 1, "depth": 1, **arguments})
