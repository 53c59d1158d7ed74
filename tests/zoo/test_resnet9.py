"""ResNet-9: the layers of the authors' code, every size, and per-example gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfdpzoo import zoo
from tfdpzoo.errors import InputError
from tfdpzoo.zoo.resnet9.architecture import resnet9

WIDTHS = (8, 12, 16)
GROUPS = 4


def test_parameters_are_those_of_the_authors_code():
    """Eight convolutions without bias, their normalisations, two more, and 1,024 features."""
    convolutions = [(3, 64), (64, 128), (128, 128), (128, 128), (128, 256)] + [(256, 256)] * 3
    kernels = sum(9 * inputs * outputs for inputs, outputs in convolutions)
    factors = 2 * (sum(outputs for _, outputs in convolutions) + 128 + 256)
    model = resnet9()
    assert model.count_params() == kernels + factors + 1024 * 10 + 10 == 2_448_714
    assert resnet9(scale_normalization=False).count_params() == 2_448_714 - 2 * (128 + 256)


def test_shapes_are_those_of_the_authors_code():
    model = resnet9()
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert shapes["conv1"] == (32, 32, 64)
    assert shapes["residual1_normalization"] == (16, 16, 128)
    assert shapes["conv3_pooling"] == (8, 8, 256)
    assert shapes["residual2_normalization"] == (4, 4, 256)
    assert shapes["head_pooling"] == (2, 2, 256)
    assert {
        layer.groups for layer in model.layers if isinstance(layer, keras.layers.GroupNormalization)
    } == {32}


def test_normalisation_comes_before_the_activation_and_after_the_residual_sum():
    model = resnet9((16, 16, 1), 3, widths=WIDTHS, normalization_groups=GROUPS)

    def fed_by(name: str) -> str:
        return model.get_layer(name).input._keras_history.operation.name

    assert fed_by("conv2_normalization") == "conv2"
    assert fed_by("conv2_activation") == "conv2_normalization"
    assert fed_by("conv2_pooling") == "conv2_activation"
    assert fed_by("residual1_normalization") == "residual1_sum"
    assert fed_by("conv3") == "residual1_normalization"
    plain = resnet9(
        (16, 16, 1), 3, widths=WIDTHS, normalization_groups=GROUPS, scale_normalization=False
    )
    assert plain.get_layer("conv3").input is plain.get_layer("residual1_sum").output


@pytest.mark.parametrize("sides", [(16, 16), (23, 31), (25, 40), (47, 16)], ids=str)
def test_the_head_pools_as_adaptive_pooling(sides):
    """Output row i is the maximum of the rows from floor(i h / 2) to ceil((i + 1) h / 2)."""
    model = resnet9((*sides, 1), 3, widths=WIDTHS, normalization_groups=GROUPS)
    pooling = model.get_layer("head_pooling")
    height, width, channels = pooling.input.shape[1:]
    features = np.random.default_rng(0).normal(size=(2, height, width, channels))
    found = np.asarray(pooling(features.astype("float32")))
    assert found.shape == (2, 2, 2, channels)
    rows, columns = (
        [slice(i * side // 2, -(-(i + 1) * side // 2)) for i in (0, 1)] for side in (height, width)
    )
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            expected = features[:, row, column].max(axis=(1, 2))
            np.testing.assert_allclose(found[:, i, j], expected, rtol=1e-6)


@pytest.mark.parametrize("scale_normalization", [True, False])
def test_per_example_gradients(gradient_errors, scale_normalization):
    keras.utils.set_random_seed(0)
    model = resnet9(
        (17, 16, 2), 3, widths=WIDTHS, normalization_groups=GROUPS,
        scale_normalization=scale_normalization,
    )  # fmt: skip
    # Float32, through ten normalisations.
    assert max(gradient_errors(model, examples=3)) < 1e-4


def test_per_example_gradients_of_the_papers_network(gradient_errors):
    keras.utils.set_random_seed(0)
    assert max(gradient_errors(resnet9((16, 16, 3), 3))) < 1e-4


def test_saved_and_loaded_it_is_the_same(tmp_path):
    model = resnet9((17, 16, 1), 4, widths=WIDTHS, normalization_groups=GROUPS)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).normal(size=(2, 17, 16, 1)).astype("float32")
    np.testing.assert_allclose(loaded(images), model(images), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"widths": (8, 16)}, "widths is .8, 16.; it must be three whole numbers"),
        ({"widths": (8, 0, 16)}, "widths is .8, 0, 16."),
        ({"normalization_groups": 48}, "normalization_groups is 48; it must be a whole number"),
        ({"normalization_groups": 0}, "normalization_groups is 0"),
        ({"classes": 1}, "classes is 1; a classifier needs"),
        ({"input_shape": (15, 16, 3)}, "input_shape is .15, 16, 3.; a ResNet-9 takes"),
        ({"activation": "misch"}, "no activation named 'misch'; did you mean 'mish'"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments, text):
    with pytest.raises(InputError, match=text):
        resnet9(**arguments)


def test_the_card_names_every_recipe_and_argument():
    entry = zoo.entry("resnet9")
    card = entry.card.read_text(encoding="utf-8")
    for name in (*entry.recipes, *entry.arguments()):
        assert f"`{name}`" in card


def test_the_recipe_of_the_authors_code():
    recipe = zoo.recipe("resnet9")
    assert recipe.privacy.epsilon == 8.0
    assert (recipe.privacy.batch_size, recipe.privacy.clip_norm) == (1024, 1.5)
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("nadam", 1e-3)
    assert recipe.architecture["scale_normalization"] is True
