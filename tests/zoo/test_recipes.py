"""The recipes that are shipped: complete, with a source for every value, and buildable."""

from __future__ import annotations

import numpy as np
import pytest

from tfdpzoo import zoo
from tfdpzoo.toml import read_table

SHIPPED = [(model, recipe) for model in zoo.names() for recipe in zoo.entry(model).recipes]
# Shape, classes and training images of the data sets that recipes name.
DATASETS = {
    "cifar10": ((32, 32, 3), 10, 50_000),
    "mnist": ((28, 28, 1), 10, 60_000),
    "fashion_mnist": ((28, 28, 1), 10, 60_000),
    "digits": ((8, 8, 1), 10, 1_437),
    "imagenette": ((224, 224, 3), 10, 9_469),
}
DEFAULTS = {
    "optimizer.momentum": 0,
    "optimizer.weight_decay": 0,
    "optimizer.warmup_updates": 0,
    "precision": "float32",
    "augmentation.multiplicity": 1,
    "augmentation.shift": 0,
    "augmentation.flip": False,
    "execution.jit_compile": "auto",
}
NOT_SETTINGS = ("name", "model", "description", "sources")


def _written_keys(model: str, recipe: str) -> set[str]:
    keys = set()
    for key, value in read_table(zoo.entry(model).recipes[recipe]).items():
        if key in NOT_SETTINGS:
            continue
        keys |= {f"{key}.{name}" for name in value} if isinstance(value, dict) else {key}
    return keys


@pytest.mark.parametrize(("model", "recipe"), SHIPPED)
def test_every_value_has_a_source_and_every_source_a_value(model: str, recipe: str) -> None:
    loaded = zoo.recipe(model, recipe)
    assert loaded.model == model
    assert loaded.name == recipe
    assert set(loaded.sources) == _written_keys(model, recipe)
    for key, source in loaded.sources.items():
        assert source.startswith(("paper: ", "authors: ", "ours: ")), (key, source)


@pytest.mark.parametrize(("model", "recipe"), SHIPPED)
def test_values_that_are_not_written_are_defaults_that_change_nothing(
    model: str, recipe: str
) -> None:
    loaded = zoo.recipe(model, recipe)
    unwritten = set(loaded.settings()) - _written_keys(model, recipe)
    for key in unwritten:
        assert key in DEFAULTS
        assert loaded.settings()[key] == DEFAULTS[key]


@pytest.mark.parametrize(("model", "recipe"), SHIPPED)
def test_privacy_fits_the_data_set(model: str, recipe: str) -> None:
    loaded = zoo.recipe(model, recipe)
    _, _, examples = DATASETS[loaded.dataset]
    assert loaded.privacy.delta < 1 / examples
    assert loaded.privacy.batch_size <= examples


@pytest.mark.parametrize(("model", "recipe"), SHIPPED)
def test_every_recipe_builds_its_model_and_its_optimizer(model: str, recipe: str) -> None:
    loaded = zoo.recipe(model, recipe)
    shape, classes, examples = DATASETS[loaded.dataset]
    built = zoo.build(model, input_shape=shape, classes=classes, **loaded.architecture)
    assert built.output_shape == (None, classes)
    optimizer = loaded.optimizer.build(
        updates=1000, updates_per_epoch=examples / loaded.privacy.batch_size
    )
    assert float(optimizer.learning_rate) == pytest.approx(loaded.optimizer.learning_rate)


def test_the_default_recipe_is_the_published_one() -> None:
    recipe = zoo.recipe("smoothnet")
    values = recipe.settings()
    published = {
        "dataset": "cifar10",
        "architecture.width": 8.0,
        "architecture.depth": 5,
        "privacy.epsilon": 7.0,
        "privacy.delta": 1e-5,
        "privacy.batch_size": 256,
        "optimizer.name": "sgd",
        "optimizer.learning_rate": 2e-3,
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": 2e-4,
        "optimizer.schedule": "step",
        "optimizer.step_epochs": 5.0,
        "optimizer.decay_rate": 0.9,
        "averaging_decay": 0.0,
    }
    assert {key: values[key] for key in published} == published
    assert not any(recipe.sources[key].startswith("ours") for key in published)
    # What the authors did not publish for epsilon 7 must say so.
    for key in ("privacy.epochs", "privacy.clip_norm"):
        assert recipe.sources[key].startswith("ours: ")
    assert "40,000" in recipe.sources["dataset"]


def test_the_published_initialisation_is_glorot_uniform_with_the_gain_of_selu() -> None:
    recipe = zoo.recipe("smoothnet", overrides={"width": 2, "depth": 1})
    model = zoo.build("smoothnet", input_shape=(32, 32, 3), classes=10, **recipe.architecture)
    kernels = [weight for weight in model.trainable_weights if len(weight.shape) > 1]
    # Two convolutions, the transition and three dense layers.
    assert len(kernels) == 6
    for kernel in kernels:
        receptive_field = int(np.prod(kernel.shape[:-2]))
        fans = receptive_field * (kernel.shape[-2] + kernel.shape[-1])
        limit = 0.75 * np.sqrt(6 / fans)
        largest = float(np.abs(kernel.numpy()).max())
        # Of several hundred uniform draws the largest lies within a few percent of the limit.
        assert 0.9 * limit < largest <= limit * (1 + 1e-6)


def test_the_card_names_every_recipe_and_argument() -> None:
    entry = zoo.entry("smoothnet")
    card = entry.card.read_text(encoding="utf-8")
    for name in (*entry.recipes, *entry.arguments()):
        assert f"`{name}`" in card
