"""Wide residual networks: the layers of De et al., their numbers, and their gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfdpzoo import zoo
from tfdpzoo.errors import InputError
from tfdpzoo.layers import StandardizedConv2D
from tfdpzoo.zoo.wide_resnet import wide_resnet

MODELS = {"wrn16_4": 16, "wrn40_4": 40}


def expected_parameters(depth: int, width: int, channels: int = 3, classes: int = 10) -> int:
    """Written down from the authors' code, convolution by convolution."""

    def normalization_and_convolution(size: int, inputs: int, outputs: int) -> int:
        return 2 * inputs + size**2 * inputs * outputs + 2 * outputs

    total = 9 * channels * 16 + 2 * 16
    inputs = 16
    for outputs in (16 * width, 32 * width, 64 * width):
        total += normalization_and_convolution(1, inputs, outputs)
        for _ in range((depth - 4) // 6):
            total += normalization_and_convolution(3, inputs, outputs)
            total += normalization_and_convolution(3, outputs, outputs)
            inputs = outputs
    return total + 2 * inputs + inputs * classes + classes


@pytest.mark.parametrize(("depth", "width"), [(10, 1), (16, 1), (22, 2)])
def test_parameters_are_those_of_the_authors_layers(depth, width):
    model = wide_resnet(depth, width)
    assert model.count_params() == expected_parameters(depth, width)
    assert all(variable.trainable for variable in model.weights)


@pytest.mark.parametrize(("name", "parameters"), [("wrn16_4", 2_753_818), ("wrn40_4", 8_961_306)])
def test_parameters_of_the_papers_networks(name, parameters):
    """2.7 and 8.9 million with batch normalisation; gains and biases are the rest."""
    model = zoo.build(name, input_shape=(32, 32, 3), classes=10)
    assert model.count_params() == parameters == expected_parameters(MODELS[name], 4)
    convolutions = [layer for layer in model.layers if isinstance(layer, StandardizedConv2D)]
    assert len(convolutions) == MODELS[name]
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert shapes["first_convolution"] == (32, 32, 16)
    assert shapes["stage0_block1_sum"] == (32, 32, 64)
    assert shapes["stage1_block0_shortcut_convolution"] == (16, 16, 128)
    assert shapes["stage2_block1_sum"] == (8, 8, 256)
    assert shapes["mean"] == (256,)


def test_a_residual_block_without_its_branch_is_its_shortcut():
    """With gains of zero the branches add nothing, and a later block passes its input on."""
    model = wide_resnet(16, 1, (8, 8, 2), 3)
    for layer in model.layers:
        if isinstance(layer, StandardizedConv2D) and layer.name.endswith("second_convolution"):
            layer.gain.assign(0 * layer.gain)
    names = ("stage1_block0_shortcut_convolution", "stage1_block0_sum", "stage1_block1_sum")
    inner = keras.Model(model.input, [model.get_layer(name).output for name in names])
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype("float32")
    shortcut, first, second = inner(images)
    np.testing.assert_allclose(first, shortcut, atol=1e-6)
    np.testing.assert_allclose(second, shortcut, atol=1e-6)


def test_the_activation_comes_before_the_normalisation():
    model = wide_resnet(10, 1, (8, 8, 3), 3)
    for name in ("stage0_block0_first", "stage2_block0_shortcut", "final"):
        normalization = model.get_layer(f"{name}_normalization")
        assert normalization.input is model.get_layer(f"{name}_activation").output
        assert normalization.groups == 16 and normalization.epsilon == 1e-5


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 11, 3), (17, 8, 4)], ids=str)
def test_any_size_from_eight(shape):
    model = wide_resnet(10, 2, shape, 4)
    logits = model(np.random.default_rng(0).normal(size=(2, *shape)).astype("float32"))
    assert logits.shape == (2, 4) and np.isfinite(logits).all()


# With ReLU rounding decides for some output near 0 whether it has a gradient: then batches of one
# and of three may differ by whole terms. Mish has no such corner.
@pytest.mark.parametrize("shape", [(8, 8, 3), (9, 10, 1)], ids=str)
def test_per_example_gradients(gradient_errors, shape):
    keras.utils.set_random_seed(0)
    model = wide_resnet(10, 1, shape, 3, activation="mish")
    # Float32, through ten normalisations.
    assert max(gradient_errors(model, examples=3)) < 1e-4


def test_per_example_gradients_of_the_papers_network(gradient_errors):
    keras.utils.set_random_seed(0)
    model = zoo.build("wrn16_4", input_shape=(8, 8, 3), classes=3, activation="mish")
    assert max(gradient_errors(model)) < 1e-4


def test_saved_and_loaded_it_is_the_same(tmp_path):
    model = wide_resnet(10, 1, (8, 8, 3), 4, activation="mish", normalization_groups=8)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(loaded(images), model(images), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"depth": 18}, "depth is 18; it must be 6 n . 4, such as 16, 28 or 40"),
        ({"depth": 4}, "depth is 4"),
        ({"width": 0}, "width is 0; it must be a whole number of at least 1"),
        ({"normalization_groups": 12}, "normalization_groups is 12; it must divide the 16"),
        ({"classes": 1}, "classes is 1; a classifier needs"),
        ({"input_shape": (7, 9, 1)}, "input_shape is .7, 9, 1.; a wide residual network takes"),
        ({"activation": "rel"}, "no activation named 'rel'; did you mean 'relu'"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments, text):
    with pytest.raises(InputError, match=text):
        wide_resnet(**{"depth": 10, "width": 1, **arguments})


@pytest.mark.parametrize("name", MODELS)
def test_the_card_names_every_recipe_and_argument(name):
    entry = zoo.entry(name)
    card = entry.card.read_text(encoding="utf-8")
    for word in (*entry.recipes, *entry.arguments()):
        assert f"`{word}`" in card


def test_the_authors_configuration():
    recipe = zoo.recipe("wrn16_4", "cifar10-eps1")
    assert recipe.privacy.batch_size == 4096
    assert int(recipe.privacy.epochs * 50_000 / 4096 + 1e-9) == 875
    assert recipe.augmentation.multiplicity == 16
    assert recipe.optimizer.learning_rate == 2.0
    assert recipe.averaging_decay == 0.999
    assert not any(source.startswith("ours") for source in recipe.sources.values()), (
        "all of it is in the authors' configuration"
    )


@pytest.mark.parametrize(
    ("model", "epsilon", "updates"),
    [
        ("wrn16_4", 2, 1125),
        ("wrn16_4", 3, 1593),
        ("wrn16_4", 4, 1687),
        ("wrn16_4", 6, 1843),
        ("wrn16_4", 8, 2500),
        ("wrn40_4", 8, 2000),
    ],
)
def test_updates_that_are_not_read_in_the_paper_say_so(model, epsilon, updates):
    recipe = zoo.recipe(model, f"cifar10-eps{epsilon}")
    assert recipe.privacy.epsilon == epsilon
    assert int(recipe.privacy.epochs * 50_000 / recipe.privacy.batch_size + 1e-9) == updates
    assert recipe.sources["privacy.epochs"].startswith("ours: ")
