from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tfdpzoo.zoo import catalog

Program = Callable[..., Any]

_DATA = ("--delta", "1e-5", "--examples", "50000", "--batch-size", "1024")


def test_the_noise_of_an_epsilon(program: Program) -> None:
    plan = json.loads(program("plan", "--epsilon", "7", *_DATA, "--epochs", "30", "--json").out)

    # The numbers of DESIGN.md, from other runs of the accountants.
    assert plan["noise_multiplier"] == pytest.approx(0.845, abs=5e-4)
    assert plan["epsilon_by_pld"] == pytest.approx(7.0, abs=1e-3)
    assert plan["epsilon_by_pld"] <= 7.0
    assert plan["epsilon_without_amplification"] == pytest.approx(47.9, abs=0.1)
    assert plan["epsilon_by_rdp"] > plan["epsilon_by_pld"]
    assert plan["updates"] == 1464
    assert plan["neighboring_relation"] == "ADD_OR_REMOVE_ONE"


def test_the_epsilon_of_a_noise(program: Program) -> None:
    arguments = ("--noise-multiplier", "0.845", *_DATA, "--updates", "1464")

    plan = json.loads(program("plan", *arguments, "--json").out)
    out = program("plan", *arguments).out

    assert plan["epsilon"] == plan["epsilon_by_pld"] == pytest.approx(6.998, abs=2e-3)
    assert "sigma = 0.8450" in out
    assert "1,464 (29.98 epochs)" in out
    assert "differ by adding or removing one example" in out


def test_a_recipe_gives_what_is_not_given(program: Program) -> None:
    arguments = ("plan", "smoothnet", "--recipe", "digits", "--updates", "5", "--json")

    plan = json.loads(program(*arguments).out)
    given = json.loads(program(*arguments, "--epsilon", "1", "--examples", "2000").out)

    privacy = catalog.recipe("smoothnet", "digits").privacy
    assert (plan["examples"], plan["epsilon"], plan["updates"]) == (1433, privacy.epsilon, 5)
    assert (given["examples"], given["epsilon"]) == (2000, 1.0)
    assert given["delta"] == plan["delta"] == privacy.delta


def test_a_recipe_for_unknown_data_needs_the_number_of_examples(program: Program) -> None:
    outcome = program("plan", "smoothnet", "--dataset", "some/folder")

    assert outcome.code == 2
    assert outcome.err == "Error: A plan needs more: give --examples.\n"
