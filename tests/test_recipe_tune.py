"""What a search varies, as a recipe says it: its file, its checks, and overrides of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdpzoo.dimension import Dimension
from tfdpzoo.errors import InputError
from tfdpzoo.recipe import OptimizerSettings, PrivacySettings, Recipe
from tfdpzoo.tuning.space import SearchSpace
from tfdpzoo.zoo import catalog

RATE = Dimension(minimum=0.5, maximum=8.0, sampling="log")
CLIP = Dimension(values=(0.1, 1.0))

RECIPE = Recipe(
    name="example",
    model="smoothnet",
    description="An example",
    dataset="digits",
    privacy=PrivacySettings(epsilon=7.0, delta=1e-4, batch_size=256, epochs=50, clip_norm=1.0),
    optimizer=OptimizerSettings("sgd", learning_rate=1.0, schedule="cosine", momentum=0.5),
    architecture={"width": 4.0},
    tune={"optimizer.learning_rate": RATE, "privacy.clip_norm": CLIP},
    sources={"tune.privacy.clip_norm": "ours", "privacy.clip_norm": "the paper"},
)

# Positive, so that each is a value of each of these settings.
_DIMENSIONS = st.one_of(
    st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=4, unique=True).map(
        lambda values: Dimension(values=tuple(values))
    ),
    st.tuples(st.floats(1e-3, 1.0), st.floats(2.0, 1e3), st.sampled_from(["linear", "log"])).map(
        lambda drawn: Dimension(minimum=drawn[0], maximum=drawn[1], sampling=drawn[2])
    ),
    st.tuples(st.integers(1, 5), st.integers(7, 20)).map(
        lambda drawn: Dimension(minimum=drawn[0], maximum=drawn[1], step=2)
    ),
)
_KEYS = ("optimizer.learning_rate", "privacy.clip_norm", "privacy.epochs", "architecture.width")


def with_tune(tune: Any) -> Recipe:
    return dataclasses.replace(RECIPE, tune=tune, sources={})


@given(st.dictionaries(st.sampled_from(_KEYS), _DIMENSIONS))
@settings(max_examples=50, deadline=None)
def test_what_is_searched_survives_dict_json_and_file(tmp_path_factory: Any, tune: dict) -> None:
    recipe = with_tune(tune)
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe

    path = tmp_path_factory.mktemp("recipe") / "example.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    assert Recipe.from_toml(path) == recipe
    assert ("tune" in recipe.to_dict()) == bool(tune)


def test_a_file_has_dotted_and_nested_keys(tmp_path: Path) -> None:
    path = tmp_path / "example.toml"
    text = with_tune({}).to_toml()
    path.write_text(
        text
        + '\n[tune]\n"optimizer.learning_rate" = { min = 0.5, max = 8.0, sampling = "log" }\n'
        + "[tune.privacy]\nclip_norm = { values = [0.1, 1] }\n"
    )
    assert Recipe.from_toml(path).tune == RECIPE.tune


@pytest.mark.parametrize(
    ("tune", "sentence"),
    [
        (3, "tune must be a table, got 3."),
        ({"privacy.clip_norm": 3}, "tune.privacy.clip_norm must be a table such as"),
        ({"privacy.clip_norm": {"min": 1}}, "tune.privacy.clip_norm: give either values, or"),
        ({"privacy.clip": {"values": [1, 2]}}, "tune.privacy.clip: There is no recipe key named"),
        ({"clip_norm": {"values": [1, 2]}}, "'clip_norm' is short for a key of the recipe"),
        ({"clip_nrom": {"values": [1, 2]}}, "There is no recipe key named 'clip_nrom'; did you"),
        ({"model": {"values": ["a", "b"]}}, "tune.model: There is no recipe key named 'model'"),
        ({"privacy.epsilon": {"min": 1, "max": 2}}, "privacy.epsilon cannot be searched: the"),
        ({"dataset": {"values": ["a", "b"]}}, "dataset cannot be searched: all trials have"),
        ({"execution.chunk": {"values": [1, 2]}}, "execution.chunk cannot be searched: it changes"),
        ({"privacy.clip_norm": {"min": 0, "max": 2}}, "privacy.clip_norm must be above 0, got 0"),
        ({"privacy.batch_size": {"min": 1.5, "max": 8}}, "batch_size must be a whole number"),
        ({"optimizer.momentum": {"values": [0.5, 1.0]}}, "at least 0 and below 1, got 1.0."),
        ({"optimizer.name": {"values": ["sgd", "sdg"]}}, "named 'sdg'; did you mean 'sgd'"),
        ({"optimizer.step_epochs": {"values": [1, 2]}}, "tune.optimizer.step_epochs: "),
    ],
)
def test_mistakes_are_one_sentence(tune: Any, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        with_tune(tune)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_source_of_what_is_not_searched_is_refused() -> None:
    with pytest.raises(InputError, match=r"with a source named 'tune\.privacy\.epochs'"):
        dataclasses.replace(RECIPE, sources={"tune.privacy.epochs": "ours"})


def test_an_overridden_setting_is_no_longer_searched() -> None:
    for key in ("privacy.clip_norm", "clip_norm"):
        changed = RECIPE.with_overrides({key: "0.3"})
        assert changed.tune == {"optimizer.learning_rate": RATE}
        assert changed.privacy.clip_norm == 0.3
        assert "tune.privacy.clip_norm" not in changed.sources
    # Also with the value that it has: it was asked for.
    assert "privacy.clip_norm" not in RECIPE.with_overrides({"clip_norm": "1.0"}).tune
    assert RECIPE.with_overrides({"epsilon": "3"}).tune == RECIPE.tune


def test_a_setting_that_loses_its_meaning_is_no_longer_searched() -> None:
    momentum = Dimension(minimum=0.0, maximum=0.9)
    recipe = dataclasses.replace(
        RECIPE,
        tune={**RECIPE.tune, "optimizer.momentum": momentum},
        sources={"tune.optimizer.momentum": "ours"},
    )

    adam = recipe.with_overrides({"optimizer.name": "adam"})

    assert adam.tune == RECIPE.tune
    assert "tune.optimizer.momentum" not in adam.sources
    assert recipe.with_overrides({"epochs": "3"}).tune == recipe.tune


def test_a_trial_has_values_of_searched_and_other_keys() -> None:
    trial = RECIPE.with_searched(
        {"optimizer.learning_rate": 2.0, "privacy.batch_size": 64, "architecture.depth": 3}
    )

    assert trial.optimizer.learning_rate == 2.0
    assert trial.privacy.batch_size == 64
    assert trial.architecture == {"width": 4.0, "depth": 3}
    assert trial.tune == {"privacy.clip_norm": CLIP}


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("learning_rate", "'learning_rate' is short for a key of the recipe; write it with its"),
        ("learnign_rate", "There is no recipe key named 'learnign_rate'; did you mean"),
        ("optimizer.learnign_rate", "There is no recipe key named 'optimizer.learnign_rate'"),
        ("privacy.delta", "privacy.delta cannot be searched: the budget of the whole search"),
    ],
)
def test_a_trial_cannot_have_other_keys(key: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        RECIPE.with_searched({key: 0.5})


_SEARCHED = [
    (model, name)
    for model in catalog.names()
    for name in catalog.entry(model).recipes
    if catalog.recipe(model, name).tune
]


def test_some_recipes_of_the_zoo_say_what_to_search() -> None:
    assert ("smoothnet", "digits") in _SEARCHED
    models = {model for model, _ in _SEARCHED}
    assert models >= {"smoothnet", "equivariant_resnet9", "resnet9", "tanh_cnn"}


@pytest.mark.parametrize(("model", "name"), _SEARCHED)
def test_recipes_of_the_zoo_have_a_space(model: str, name: str) -> None:
    recipe = catalog.recipe(model, name)
    space, parameters = SearchSpace.of(recipe), keras_tuner.HyperParameters()

    values = space.declare(parameters)

    # The recipe's own values are a trial that the search can have.
    assert values == {key: recipe.settings()[key] for key in recipe.tune}
    assert recipe.with_searched(values).settings() == recipe.settings()
    for seed in range(20):
        drawn = {each.name: each.random_sample(seed) for each in parameters.space}
        trial = recipe.with_searched(drawn)
        assert {key: trial.settings()[key] for key in drawn} == drawn
    for key in recipe.tune:
        assert recipe.sources[f"tune.{key}"].strip()
    assert not space.touches_accounting
