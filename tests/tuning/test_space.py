"""What a search varies, as KerasTuner takes it: a recipe's table, or a function."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras_tuner
import pytest

from tfdpzoo.dimension import Dimension
from tfdpzoo.errors import InputError
from tfdpzoo.recipe import OptimizerSettings, PrivacySettings, Recipe
from tfdpzoo.tuning.space import FunctionSpace, SearchSpace

RECIPE = Recipe(
    name="example",
    model="smoothnet",
    description="An example",
    dataset="digits",
    privacy=PrivacySettings(epsilon=7.0, delta=1e-4, batch_size=256, epochs=50, clip_norm=1.0),
    optimizer=OptimizerSettings("sgd", learning_rate=1.0, schedule="cosine"),
)


def space_of(**tables: dict[str, Any]) -> SearchSpace:
    tune = {key.replace("__", "."): table for key, table in tables.items()}
    return SearchSpace.of(dataclasses.replace(RECIPE, tune=tune))


def declared(space: Any) -> tuple[dict[str, Any], list[Any]]:
    parameters = keras_tuner.HyperParameters()
    return space.declare(parameters), parameters.space


def test_a_recipe_without_a_table_has_no_space() -> None:
    with pytest.raises(InputError, match=r"The recipe example does not say what to search; give"):
        SearchSpace.of(RECIPE)


def test_a_table_becomes_hyper_parameters() -> None:
    space = space_of(
        optimizer__learning_rate={"min": 0.5, "max": 8.0, "sampling": "log"},
        privacy__clip_norm={"values": [0.1, 0.3]},
        optimizer__warmup_updates={"min": 0, "max": 10},
        architecture__flips={"values": [True, False]},
    )
    _, (rate, clip, warmup, flips) = declared(space)

    assert space.keys == tuple(each.name for each in (rate, clip, warmup, flips))
    assert (type(rate).__name__, rate.min_value, rate.max_value) == ("Float", 0.5, 8.0)
    assert rate.sampling == "log"
    assert (type(clip).__name__, list(clip.values)) == ("Choice", [0.1, 0.3])
    assert (type(warmup).__name__, warmup.min_value, warmup.max_value) == ("Int", 0, 10)
    assert type(flips).__name__ == "Boolean"
    assert {type(flips.random_sample(seed)) for seed in range(9)} == {bool}
    assert space.size is None


@pytest.mark.parametrize(
    ("key", "table", "default"),
    [
        ("optimizer__learning_rate", {"min": 0.5, "max": 8.0}, 1.0),
        ("optimizer__learning_rate", {"min": 2.0, "max": 8.0}, 2.0),
        ("optimizer__learning_rate", {"min": 0.5, "max": 8.0, "step": 0.3}, 0.5),
        ("optimizer__learning_rate", {"values": [0.5, 1.0]}, 1.0),
        ("optimizer__learning_rate", {"values": [0.5, 2.0]}, 0.5),
        ("privacy__batch_size", {"min": 64, "max": 512}, 256),
        ("privacy__epochs", {"min": 10, "max": 60}, 50),
        ("privacy__epochs", {"min": 0.5, "max": 60}, 50.0),
        ("architecture__depth", {"min": 2, "max": 4}, 2),
        ("architecture__flips", {"values": [True, False]}, False),
        ("optimizer__schedule", {"values": ["constant", "cosine"]}, "cosine"),
    ],
)
def test_a_search_begins_with_the_values_of_the_recipe(key: str, table: dict, default: Any) -> None:
    values, _ = declared(space_of(**{key: table}))

    (value,) = values.values()
    assert (value, type(value)) == (default, type(default))


def test_a_default_that_is_not_whole_is_none_of_a_whole_range() -> None:
    privacy = dataclasses.replace(RECIPE.privacy, epochs=50.5)
    tune = {"privacy.epochs": Dimension(minimum=10, maximum=60)}
    space = SearchSpace.of(dataclasses.replace(RECIPE, privacy=privacy, tune=tune))

    assert declared(space)[0] == {"privacy.epochs": 10}


@pytest.mark.parametrize(
    "table",
    [
        {"min": 0.1, "max": 0.7, "step": 0.1},
        {"min": 0.5, "max": 1.0, "step": 0.3},
        {"min": 1, "max": 3, "step": 0.5},
        {"min": 1, "max": 10, "step": 4},
        {"min": 16, "max": 512, "step": 2, "sampling": "log"},
        {"min": 0.1, "max": 0.9, "step": 2.0, "sampling": "log"},
        {"min": 1, "max": 7},
        {"values": [0.1, 0.3, 1]},
    ],
)
def test_there_are_as_many_values_as_are_said(table: dict) -> None:
    space = space_of(privacy__clip_norm=table)
    _, (clip,) = declared(space)
    values = list(clip.values)

    assert len(set(values)) == len(values) == space.size
    assert min(values) == table.get("min", 0.1)
    # A step is added as often as there are values, each time rounded.
    assert max(values) <= table.get("max", 1) * (1 + 1e-9)
    drawn = {clip.random_sample(seed) for seed in range(300)}
    assert drawn == set(values)


def test_the_size_of_a_space_is_a_product() -> None:
    clip, epochs = {"values": [0.1, 0.3]}, {"min": 1, "max": 5}
    assert space_of(privacy__clip_norm=clip, privacy__epochs=epochs).size == 10
    rate = {"min": 0.5, "max": 8.0}
    assert space_of(privacy__clip_norm=clip, optimizer__learning_rate=rate).size is None


@pytest.mark.parametrize(
    ("key", "touches"),
    [("privacy__epochs", True), ("privacy__batch_size", True), ("privacy__clip_norm", False)],
)
def test_what_changes_the_cost_of_a_trial_is_known(key: str, touches: bool) -> None:
    assert space_of(**{key: {"min": 1, "max": 5}}).touches_accounting is touches
    function = FunctionSpace(RECIPE, lambda hp: {key.replace("__", "."): hp.Int("x", 1, 5)}, "f")
    assert function.touches_accounting is touches


def test_a_function_returns_settings() -> None:
    def function(hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        rate = hp.Float("rate", 0.5, 8.0, sampling="log")
        return {"optimizer.learning_rate": rate, "privacy.clip_norm": 2 / rate}

    space = FunctionSpace(RECIPE, function, "mine.py:function")

    assert space.keys == ("optimizer.learning_rate", "privacy.clip_norm")
    assert space.size is None
    parameters = keras_tuner.HyperParameters()
    parameters.values = {"rate": 4.0}
    assert space.declare(parameters) == {
        "optimizer.learning_rate": 4.0,
        "privacy.clip_norm": 0.5,
    }


def conditional(hp: keras_tuner.HyperParameters) -> dict[str, Any]:
    """Only a trial with SGD sets momentum; one with many updates sets how many."""
    values = {"optimizer.name": hp.Choice("name", ["adam", "sgd", "nadam"])}
    with hp.conditional_scope("name", ["sgd"]):
        if values["optimizer.name"] == "sgd":
            values["optimizer.momentum"] = hp.Float("momentum", 0.1, 0.9)
            longer = hp.Boolean("longer")
            with hp.conditional_scope("longer", [True]):
                if longer:
                    values["privacy.epochs"] = hp.Float("epochs", 10.0, 20.0)
    return values


def test_settings_under_conditions_are_found_before_the_first_trial() -> None:
    space = FunctionSpace(RECIPE, conditional, "mine.py:conditional")
    parameters = keras_tuner.HyperParameters()

    space.explore(parameters)

    assert space.keys == ("optimizer.name", "optimizer.momentum", "privacy.epochs")
    assert space.touches_accounting
    assert [each.name for each in parameters.space] == ["name", "momentum", "longer", "epochs"]
    assert parameters.values == {"name": "adam"}
    found = {each.name: each for each in parameters.space}
    for values, active in (
        ({"name": "adam"}, {"name"}),
        ({"name": "sgd", "longer": False}, {"name", "momentum", "longer"}),
        ({"name": "sgd", "longer": True}, {"name", "momentum", "longer", "epochs"}),
    ):
        parameters.values = dict(values)
        assert {name for name, each in found.items() if parameters.is_active(each)} == active


def test_a_table_is_explored_by_declaring_it() -> None:
    space = space_of(privacy__clip_norm={"values": [0.1, 0.3]})
    parameters = keras_tuner.HyperParameters()

    space.explore(parameters)

    assert [each.name for each in parameters.space] == ["privacy.clip_norm"]


def _raises(hp: Any) -> Any:
    raise RuntimeError("no idea")


def _exits(hp: Any) -> Any:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (_raises, "mine failed: RuntimeError: no idea."),
        (_exits, "mine failed: SystemExit: 3."),
        (lambda: {}, "mine failed: TypeError: "),
        (lambda hp: hp.Float("x"), "mine failed: TypeError: "),
        (lambda hp: None, "mine returned None; it must return settings by their names"),
        (lambda hp: hp.Choice("x", [1, 2]), "mine returned 1; it must return settings by their"),
        (lambda hp: {3: hp.Choice("x", [1, 2])}, "mine returned {3: 1}; it must return settings"),
        (lambda hp: {}, "mine declares nothing that varies; let it call hp.Float, hp.Int or"),
        (lambda hp: {"privacy.clip_norm": 0.1}, "mine declares nothing that varies; let it call"),
        (lambda hp: {"privacy.clip_norm": hp.Fixed("x", 0.1)}, "mine declares nothing that varies"),
        (
            lambda hp: {"privacy.clip_norm": hp.Choice("x", [0.1])},
            "mine declares nothing that varies",
        ),
        (lambda hp: {"clip_norm": hp.Choice("x", [1, 2])}, "'clip_norm' is short for a key of the"),
        (lambda hp: {"privacy.clip": hp.Choice("x", [1, 2])}, "named 'privacy.clip'; did you mean"),
        (
            lambda hp: {"privacy.clip_norm": hp.Choice("x", [-1.0, 1.0])},
            "privacy.clip_norm must be above 0, got -1.0.",
        ),
        (
            lambda hp: {"privacy.epsilon": hp.Choice("x", [1.0, 2.0])},
            "privacy.epsilon cannot be searched: the budget of the whole search decides it.",
        ),
    ],
)
def test_functions_that_cannot_be_used(function: Any, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        FunctionSpace(RECIPE, function, "mine")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_function_that_fails_under_a_condition_is_told_at_once() -> None:
    def function(hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        name = hp.Choice("name", ["adam", "sgd"])
        with hp.conditional_scope("name", ["sgd"]):
            if name == "sgd":
                raise RuntimeError("no momentum")
        return {"optimizer.name": name}

    with pytest.raises(InputError, match="mine failed: RuntimeError: no momentum"):
        FunctionSpace(RECIPE, function, "mine")


def test_a_setting_that_hides_behind_an_if_is_refused() -> None:
    """KerasTuner would leave it at its default, without a word."""

    def hiding(hp: keras_tuner.HyperParameters) -> dict[str, object]:
        settings: dict[str, object] = {"privacy.clip_norm": hp.Choice("clip", [0.1, 0.2, 0.4])}
        if settings["privacy.clip_norm"] == 0.4:
            settings["averaging_decay"] = hp.Float("decay", 0.5, 0.9)
        return settings

    with pytest.raises(InputError, match="declares 'decay' only for some values"):
        FunctionSpace(RECIPE, hiding, "space")


def test_no_value_lies_below_its_range() -> None:
    """KerasTuner's rounding may give min - 1 on a reversed logarithmic scale."""
    space = space_of(
        optimizer__warmup_updates={"min": 1, "max": 10, "sampling": "reverse_log"},
    )
    parameters = keras_tuner.HyperParameters()
    space.declare(parameters)
    for drawn, taken in ((0, 1), (1, 1), (10, 10)):
        parameters.values["optimizer.warmup_updates"] = drawn
        assert space.declare(parameters)["optimizer.warmup_updates"] == taken
