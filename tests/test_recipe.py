"""Recipes: what a file may hold, what overrides do, and how both speak of mistakes."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.errors import InputError
from tfdpzoo.recipe import (
    OPTIMIZERS,
    OptimizerSettings,
    PrivacySettings,
    Recipe,
)

EXAMPLE = """
model = "smoothnet"
description = "An example"
dataset = "digits"

[architecture]
width = 4.0

[privacy]
epsilon = 7
delta = 1e-4
batch_size = 256
epochs = 50
clip_norm = 1.0

[optimizer]
name = "sgd"
learning_rate = 1.0
schedule = "step"
momentum = 0.9
step_epochs = 5
decay_rate = 0.9

[sources]
privacy.epsilon = "the paper"
"optimizer.momentum" = "ours"
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return Recipe.from_toml(_written(tmp_path, EXAMPLE))


def _written(folder: Path, text: str) -> Path:
    path = folder / "example.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _positive(largest: float = 1e6) -> st.SearchStrategy[float]:
    return st.floats(min_value=1e-12, max_value=largest)


_TEXT = st.text(min_size=1).filter(str.strip)
_PLAIN = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
_VALUES = st.recursive(
    _PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def _optimizers(draw: st.DrawFn) -> OptimizerSettings:
    name = draw(st.sampled_from(OPTIMIZERS))
    schedule = draw(
        st.sampled_from(
            [
                {"schedule": "constant"},
                {"schedule": "cosine", "warmup_updates": draw(st.integers(0, 1000))},
                {"schedule": "step", "step_epochs": 2.5, "decay_rate": draw(st.floats(0.1, 1.0))},
            ]
        )
    )
    momentum = draw(st.floats(0, 0.99)) if name == "sgd" else 0.0
    return OptimizerSettings(
        name=name, learning_rate=draw(_positive()), momentum=momentum, **schedule
    )


@st.composite
def _recipes(draw: st.DrawFn) -> Recipe:
    architecture = draw(st.dictionaries(st.text(), _VALUES, max_size=4))
    keys = ["privacy.epsilon", "dataset", *(f"architecture.{name}" for name in architecture)]
    return Recipe(
        name=draw(_TEXT),
        model=draw(_TEXT),
        description=draw(_TEXT),
        dataset=draw(_TEXT),
        privacy=PrivacySettings(
            epsilon=draw(_positive()),
            delta=draw(st.floats(1e-12, 0.99)),
            batch_size=draw(st.integers(1, 10**6)),
            epochs=draw(_positive()),
            clip_norm=draw(_positive()),
        ),
        optimizer=draw(_optimizers()),
        architecture=architecture,
        image_size=draw(st.none() | st.integers(8, 512)),
        averaging_decay=draw(st.floats(0, 0.9999)),
        execution=ExecutionSettings(
            chunk=draw(st.none() | st.integers(1, 4096)),
            jit_compile=draw(st.sampled_from(["auto", "on", "off"])),
        ),
        sources=draw(st.dictionaries(st.sampled_from(keys), _TEXT)),
    )


@given(_recipes())
def test_a_recipe_survives_dict_json_and_toml(recipe: Recipe) -> None:
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@given(_recipes())
@settings(max_examples=50, deadline=None)
def test_a_recipe_survives_its_file(tmp_path_factory: Any, recipe: Recipe) -> None:
    path = _written(tmp_path_factory.mktemp("recipe"), recipe.to_toml())
    assert Recipe.from_toml(path) == recipe


def test_file_becomes_typed_values(recipe: Recipe) -> None:
    assert recipe.name == "example"
    assert recipe.privacy == PrivacySettings(
        epsilon=7.0, delta=1e-4, batch_size=256, epochs=50.0, clip_norm=1.0
    )
    assert isinstance(recipe.privacy.epsilon, float)
    assert recipe.architecture == {"width": 4.0}
    assert recipe.averaging_decay == 0.999
    assert recipe.image_size is None
    assert recipe.sources == {"privacy.epsilon": "the paper", "optimizer.momentum": "ours"}


def test_a_name_in_the_file_goes_before_the_file_name(tmp_path: Path) -> None:
    assert Recipe.from_toml(_written(tmp_path, 'name = "mine"\n' + EXAMPLE)).name == "mine"


def test_a_recipe_cannot_be_changed_through_its_dict(recipe: Recipe) -> None:
    recipe.to_dict()["architecture"]["width"] = 99
    recipe.to_dict()["sources"]["privacy.epsilon"] = "forged"
    assert recipe.architecture == {"width": 4.0}
    assert recipe.sources["privacy.epsilon"] == "the paper"
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.dataset = "mnist"  # type: ignore[misc]


def test_settings_are_those_with_a_meaning(recipe: Recipe) -> None:
    values = recipe.settings()
    assert values["privacy.epsilon"] == 7.0
    assert values["optimizer.step_epochs"] == 5.0
    assert values["architecture.width"] == 4.0
    # Warm-up belongs to the cosine schedule, no image size is set.
    assert "optimizer.warmup_updates" not in values
    assert "image_size" not in values


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("epsilon = 7", "epsilom = 7", "named 'privacy.epsilom'; did you mean 'privacy.epsilon'"),
        ('"digits"', '"digits"\nepsilon = 3', "named 'epsilon'; did you mean 'privacy.epsilon'"),
        ("dataset =", "datasett =", "named 'datasett'; did you mean 'dataset'"),
        ("[optimizer]", "[optimiser]", "named 'optimiser'; did you mean 'optimizer.name'"),
        ("epsilon = 7\n", "", "Required and missing: privacy.epsilon."),
        ('description = "An example"\n', "", "Required and missing: description."),
        ("epsilon = 7", 'epsilon = "7"', "privacy.epsilon must be a number, got '7'."),
        ("epsilon = 7", "epsilon = true", "privacy.epsilon must be a number, got True."),
        ("epsilon = 7", "epsilon = nan", "privacy.epsilon must be a finite number, got nan."),
        ("epsilon = 7", "epsilon = inf", "privacy.epsilon must be a finite number, got inf."),
        ("epsilon = 7", "epsilon = 0", "privacy.epsilon must be above 0, got 0.0."),
        ("delta = 1e-4", "delta = 1.0", "privacy.delta must be above 0 and below 1, got 1.0."),
        ("delta = 1e-4", "delta = 0", "privacy.delta must be above 0 and below 1, got 0.0."),
        ("= 256", "= 256.0", "privacy.batch_size must be a whole number, got 256.0."),
        ("= 256", "= 0", "privacy.batch_size must be at least 1, got 0."),
        ("epochs = 50", "epochs = 0", "privacy.epochs must be above 0, got 0.0."),
        ("clip_norm = 1.0", "clip_norm = -1", "privacy.clip_norm must be above 0, got -1.0."),
        ("rate = 1.0", "rate = 0", "optimizer.learning_rate must be above 0, got 0.0."),
        ("momentum = 0.9", "momentum = 1", "must be at least 0 and below 1, got 1.0."),
        ("rate = 0.9", "rate = 1.5", "decay_rate must be above 0 and at most 1, got 1.5."),
        ('"sgd"', '"sdg"', "no optimizer named 'sdg'; did you mean 'sgd'"),
        ('"step"', '"stpe"', "no learning-rate schedule named 'stpe'; did you mean 'step'"),
        ('"sgd"', '"adam"', "optimizer.momentum is 0.9 but has a meaning only with"),
        ("step_epochs = 5\n", "", "'step' needs optimizer.step_epochs and optimizer.decay_rate."),
        ("width = 4.0", "width = nan", "architecture.width must be a finite number, got nan."),
        ("width = 4.0", "width = 1979-05-27", "architecture.width must be text, a number, true"),
        ('= "the paper"', "= 7", "The source of privacy.epsilon must be a sentence, got 7."),
        ("privacy.epsilon =", "privacy.eps =", "recipe key with a source named 'privacy.eps'"),
        ('"digits"', "7", "dataset must be text that is not empty, got 7."),
        ('"digits"', '""', "dataset must be text that is not empty, got ''."),
        ('"digits"', '"digits"\nimage_size = 4', "image_size must be at least 8, got 4."),
        ('"digits"', '"digits"\naveraging_decay = 1', "at least 0 and below 1, got 1.0."),
        ('"digits"', '"digits"\nexecution = 4', "execution must be a table, got 4."),
        (
            "[sources]",
            "[execution]\nchunk = 0\n[sources]",
            "execution.chunk must be at least 1, got 0",
        ),
        ("[sources]", "[execution]\nchunk = 1.5\n[sources]", "execution.chunk must be a whole"),
    ],
)
def test_mistakes_in_a_file_are_one_sentence_with_file_and_key(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    assert old in EXAMPLE
    path = _written(tmp_path, EXAMPLE.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        Recipe.from_toml(path)
    assert str(caught.value).startswith(f"In the recipe {path}: ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_direct_recipe_is_checked_too(recipe: Recipe) -> None:
    with pytest.raises(InputError, match="averaging_decay must be at least 0 and below 1"):
        dataclasses.replace(recipe, averaging_decay=1.0)
    with pytest.raises(InputError, match="architecture must be a table, got 'wide'"):
        dataclasses.replace(recipe, architecture="wide")


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no file .*missing\.toml\."):
        Recipe.from_toml(tmp_path / "missing.toml")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        Recipe.from_toml(tmp_path)
    with pytest.raises(InputError, match=r"example\.toml is not valid TOML"):
        Recipe.from_toml(_written(tmp_path, "model = "))
    with pytest.raises(InputError, match="Required and missing: model, description, dataset, priv"):
        Recipe.from_toml(_written(tmp_path, ""))


@given(value=st.sampled_from([math.nan, math.inf, -math.inf, 10**400]))
def test_numbers_that_are_not_finite_are_refused_everywhere(value: float) -> None:
    valid = {"epsilon": 1.0, "delta": 0.1, "batch_size": 1, "epochs": 1.0, "clip_norm": 1.0}
    for name in ("epsilon", "delta", "epochs", "clip_norm"):
        with pytest.raises(InputError, match=f"privacy.{name} must be a finite number"):
            PrivacySettings(**{**valid, name: value})  # type: ignore[arg-type]


def test_overrides_by_full_key_and_by_last_part(recipe: Recipe) -> None:
    changed = recipe.with_overrides(
        {"privacy.batch_size": "512", "epsilon": "3", "dataset": "2024", "image_size": 16}
    )
    assert changed.privacy.batch_size == 512
    assert changed.privacy.epsilon == 3.0
    assert changed.dataset == "2024"
    assert changed.image_size == 16
    assert changed.sources["privacy.epsilon"] == "set for this run; the recipe has 7.0"
    assert changed.sources["image_size"] == "set for this run; the recipe does not set it"
    assert changed.sources["optimizer.momentum"] == "ours"
    assert recipe.privacy.batch_size == 256, "the recipe itself must not change"


def test_an_override_with_the_same_value_keeps_the_source(recipe: Recipe) -> None:
    assert recipe.with_overrides({"epsilon": "7"}) == recipe
    assert recipe.with_overrides({}) == recipe


def test_overrides_of_the_architecture(recipe: Recipe) -> None:
    changed = recipe.with_overrides(
        {"width": "8", "activation": "relu", "architecture.kernel": "{ a = [1, 2] }"},
        architecture_arguments=["width", "activation", "kernel"],
    )
    assert changed.architecture == {"width": 8, "activation": "relu", "kernel": {"a": [1, 2]}}
    with pytest.raises(InputError, match=r"named 'architecture\.widht'; did you mean 'architec"):
        recipe.with_overrides({"architecture.widht": "8"})


def test_settings_of_another_choice_fall_back(recipe: Recipe) -> None:
    cosine = recipe.with_overrides({"schedule": "cosine", "warmup_updates": "10"})
    assert cosine.optimizer.step_epochs is None
    assert cosine.optimizer.decay_rate is None
    assert cosine.optimizer.warmup_updates == 10
    adam = recipe.with_overrides({"optimizer.name": "adam"})
    assert adam.optimizer.momentum == 0.0
    assert "optimizer.momentum" not in adam.sources
    assert adam.optimizer.step_epochs == 5.0


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"batchsize": "5"}, "There is no recipe key named 'batchsize'; did you mean 'batch_size'"),
        ({"privacy.epsilom": "5"}, "named 'privacy.epsilom'; did you mean 'privacy.epsilon'"),
        ({"name": "adam"}, "'name' alone is ambiguous; write optimizer.name."),
        ({"optimizer": "adam"}, "'optimizer' is a table; write one of optimizer.name, "),
        ({"sources.dataset": "me"}, "There is no recipe key named 'sources.dataset'"),
        ({"model": "other"}, "There is no recipe key named 'model'"),
        ({"epsilon": "1", "privacy.epsilon": "2"}, "privacy.epsilon is set twice; give it once."),
        ({"epsilon": "seven"}, "privacy.epsilon must be a number, got 'seven'."),
        ({"epsilon": "nan"}, "privacy.epsilon must be a finite number, got nan."),
        ({"epsilon": "1e400"}, "privacy.epsilon must be a finite number, got inf."),
        ({"epsilon": "3\ndelta = 0.5"}, "privacy.epsilon must be a number, got "),
        ({"epsilon": ""}, "privacy.epsilon must be a number, got ''."),
        ({"delta": "1"}, "privacy.delta must be above 0 and below 1, got 1.0."),
        ({"batch_size": "1.5"}, "privacy.batch_size must be a whole number, got 1.5."),
        ({"batch_size": "9" * 5000}, "privacy.batch_size must be a whole number, got '999"),
        ({"warmup_updates": "5"}, "optimizer.schedule = 'cosine'; optimizer.schedule is 'step'."),
        ({"schedule": "cosin"}, "no learning-rate schedule named 'cosin'; did you mean 'cosine'"),
        ({"jit_compile": "yes"}, "There is no way of compiling named 'yes'"),
        ({"dataset": " "}, "dataset must be text that is not empty"),
    ],
)
def test_mistakes_in_overrides_are_one_sentence(
    recipe: Recipe, overrides: dict[str, str], sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        recipe.with_overrides(overrides)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_optimizer_settings_make_a_keras_optimizer(recipe: Recipe) -> None:
    optimizer = recipe.optimizer.build(updates=100, updates_per_epoch=4.0)
    assert optimizer.momentum == 0.9
