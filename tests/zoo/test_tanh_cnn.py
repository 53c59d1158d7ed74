"""The CNNs with tanh: published sizes, the smallest images, and per-example gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfdpzoo import zoo
from tfdpzoo.errors import InputError
from tfdpzoo.zoo.tanh_cnn.architecture import LAYOUTS, smallest_side, tanh_cnn


@pytest.mark.parametrize(
    ("layout", "shape", "parameters"),
    [
        ("mnist", (28, 28, 1), 26_010),
        ("cifar10", (32, 32, 3), 550_570),
        ("cifar10-small", (32, 32, 3), 167_642),
    ],
)
def test_parameters_are_those_of_the_authors_code(layout, shape, parameters):
    model = tanh_cnn(shape, 10, layout=layout)
    assert model.count_params() == parameters


def test_shapes_are_those_of_the_authors_code():
    small = tanh_cnn((28, 28, 1), layout="mnist")
    shapes = [tuple(layer.output.shape[1:]) for layer in small.layers[2:]]
    assert shapes == [
        (13, 13, 16), (12, 12, 16), (5, 5, 32), (4, 4, 32), (512,), (32,), (10,),
    ]  # fmt: skip
    large = tanh_cnn()
    pooled = [layer.output.shape[1:] for layer in large.layers if layer.name.startswith("pooling")]
    assert pooled == [(16, 16, 32), (8, 8, 64), (4, 4, 128)]


def test_the_activation_is_everywhere_but_at_the_end():
    for layout in LAYOUTS:
        model = tanh_cnn(layout=layout)
        kinds = [
            layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")
        ]
        assert set(kinds[:-1]) == {"tanh"} and kinds[-1] == "linear"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_smallest_image(layout):
    side = smallest_side(LAYOUTS[layout])
    model = tanh_cnn((side, side + 1, 2), 3, layout=layout)
    logits = model(np.random.default_rng(0).normal(size=(2, side, side + 1, 2)).astype("float32"))
    assert logits.shape == (2, 3) and np.isfinite(logits).all()
    with pytest.raises(InputError, match=f"with sides of at least {side}"):
        tanh_cnn((side - 1, 40, 2), 3, layout=layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_per_example_gradients(gradient_errors, layout):
    keras.utils.set_random_seed(0)
    model = tanh_cnn((17, 18, 1), 3, layout=layout)
    # Float32 sums of at most some hundred terms.
    assert max(gradient_errors(model, examples=3)) < 1e-5


def test_saved_and_loaded_it_is_the_same(tmp_path):
    model = tanh_cnn((16, 17, 1), 4, layout="mnist")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = np.random.default_rng(0).normal(size=(2, 16, 17, 1)).astype("float32")
    np.testing.assert_allclose(loaded(images), model(images), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"layout": "mnits"}, "no layout named 'mnits'; did you mean 'mnist'"),
        ({"classes": 1}, "classes is 1; a classifier needs"),
        ({"input_shape": (7, 9, 1)}, "input_shape is .7, 9, 1.; the layout 'cifar10' takes"),
        ({"activation": "tan"}, "no activation named 'tan'; did you mean 'tanh'"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments, text):
    with pytest.raises(InputError, match=text):
        tanh_cnn(**arguments)


def test_the_card_names_every_recipe_layout_and_argument():
    entry = zoo.entry("tanh_cnn")
    card = entry.card.read_text(encoding="utf-8")
    for name in (*entry.recipes, *entry.arguments(), *LAYOUTS):
        assert f"`{name}`" in card


@pytest.mark.parametrize(
    ("dataset", "batch_size", "epochs", "learning_rate"),
    [("mnist", 512, 40, 0.5), ("fashion_mnist", 2048, 40, 4.0), ("cifar10", 1024, 30, 1.0)],
)
def test_the_recipes_of_the_authors(dataset, batch_size, epochs, learning_rate):
    recipe = zoo.recipe("tanh_cnn", dataset=dataset)
    assert recipe.name == recipe.dataset == dataset
    assert (recipe.privacy.epsilon, recipe.privacy.clip_norm) == (3.0, 0.1)
    assert (recipe.privacy.batch_size, recipe.privacy.epochs) == (batch_size, epochs)
    assert (recipe.optimizer.learning_rate, recipe.optimizer.momentum) == (learning_rate, 0.9)
    # What a search varies is no setting of a run.
    settings = {key: each for key, each in recipe.sources.items() if not key.startswith("tune.")}
    assert not any(source.startswith("ours") for source in settings.values())
