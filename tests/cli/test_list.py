from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tfdpzoo.zoo import catalog

Program = Callable[..., Any]


def test_every_model_and_recipe_is_listed(program: Program) -> None:
    out = program("list").out

    for name in catalog.names():
        assert name in out
        for recipe in catalog.entry(name).recipes:
            assert recipe in out
    assert "paper *" in out
    assert "\x1b" not in out


def test_the_list_is_read_by_scripts(program: Program) -> None:
    models = json.loads(program("list", "--json").out)

    assert [model["name"] for model in models] == catalog.names()
    (smoothnet,) = (model for model in models if model["name"] == "smoothnet")
    recipes = {recipe["name"]: recipe for recipe in smoothnet["recipes"]}
    assert recipes["paper"]["dataset"] == "cifar10"
    assert recipes["paper"]["epsilon"] == 7.0
