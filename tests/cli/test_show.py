from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

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
