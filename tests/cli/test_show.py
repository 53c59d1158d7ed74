from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tfdpzoo.cli.show import searched_range
from tfdpzoo.dimension import Dimension
from tfdpzoo.zoo import catalog

Program = Callable[..., Any]


def test_show_describes_the_model_of_the_default_recipe(program: Program) -> None:
    out = program("show", "smoothnet").out

    assert "3,391,853 parameters for images of 32 x 32 x 3 and 10 classes (recipe paper)" in out
    assert "arxiv.org/abs/2205.04095" in out
    assert "Recipe paper, the default:" in out
    assert "stage1_block4" in out
    assert "Other recipes, for `tfdpzoo show smoothnet --recipe NAME`: cifar10-cpu" in out


def test_show_builds_for_the_data_of_another_recipe(program: Program) -> None:
    out = program("show", "smoothnet", "--recipe", "imagenette").out

    assert "images of 224 x 224 x 3 and 10 classes (recipe imagenette)" in out


def test_every_value_has_its_source(program: Program) -> None:
    shown = json.loads(program("show", "smoothnet", "--recipe", "mnist", "--json").out)

    assert shown["input_shape"] == [28, 28, 1]
    assert {*shown["recipes"]} == {*catalog.entry("smoothnet").recipes}
    for name, recipe in shown["recipes"].items():
        values = {each["key"]: each for each in recipe["values"]}
        assert recipe["default"] == (name == "paper")
        assert all(each["source"] for each in values.values())
        assert values["privacy.epsilon"]["source"] != "default"
    mnist = {each["key"]: each for each in shown["recipes"]["mnist"]["values"]}
    assert mnist["architecture.connections"] == {
        "key": "architecture.connections",
        "value": "dense",
        "source": "default",
    }


def test_layers_add_up_to_the_parameters(program: Program) -> None:
    shown = json.loads(program("show", "smoothnet", "--recipe", "cifar10-cpu", "--json").out)

    assert sum(layer["parameters"] for layer in shown["layers"]) == shown["parameters"] == 601_069


def test_what_a_search_varies_is_shown(program: Program) -> None:
    out = program("show", "smoothnet", "--recipe", "digits").out
    lines = out[out.index("Searched by `tfdpzoo tune`:") :].splitlines()

    for key, values in (
        ("optimizer.learning_rate", "2 to 40, log"),
        ("privacy.clip_norm", "0.03, 0.1, 0.3, 1"),
        ("averaging_decay", "0.9, 0.99, 0.999"),
    ):
        (line,) = [line for line in lines if line.split()[:1] == [key]]
        assert values in line
    assert "Searched" not in program("show", "smoothnet", "--recipe", "paper").out


def test_what_a_search_varies_is_in_the_json(program: Program) -> None:
    shown = json.loads(program("show", "smoothnet", "--recipe", "digits", "--json").out)

    recipe = catalog.recipe("smoothnet", "digits")
    searched = {each.pop("key"): each for each in shown["recipes"]["digits"]["searched"]}
    sources = {key: each.pop("source") for key, each in searched.items()}
    assert searched == {key: each.to_table() for key, each in recipe.tune.items()}
    assert sources == {key: recipe.sources[f"tune.{key}"] for key in recipe.tune}
    assert shown["recipes"]["paper"]["searched"] == []


@pytest.mark.parametrize(
    ("dimension", "text"),
    [
        (Dimension(minimum=1, maximum=9, step=2), "1 to 9, step 2"),
        (Dimension(minimum=0.5, maximum=8.0), "0.5 to 8"),
        (Dimension(minimum=16, maximum=512, step=2, sampling="log"), "16 to 512, step 2, log"),
        (Dimension(values=(True, False)), "true, false"),
        (Dimension(values=("sgd", "adam")), "sgd, adam"),
    ],
)
def test_ranges_in_words(dimension: Dimension, text: str) -> None:
    assert searched_range(dimension) == text
