"""The numbers on the page about tuning are those of the code."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfdpzoo.cli.search_oracle import trials_of
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.tuning.search_plan import SearchBudget, SearchPlan
from tfdpzoo.tuning.space import FunctionSpace
from tfdpzoo.zoo import catalog

PAGE = (Path(__file__).parents[1] / "docs" / "tuning.md").read_text()
TEXT = " ".join(PAGE.split())
SIZES = {"examples": 45_000, "held_out_examples": 5_000, "batch_size": 1024, "epochs": 30}
COLUMNS = (("logarithmic", None), ("truncated negative binomial", 0.5), ("geometric", None))


def _block(text: str) -> str:
    blocks: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (found,) = (block for block in blocks if text in block)
    return found


def _random(epsilon: float) -> SearchBudget:
    return SearchBudget(epsilon, 1e-5, law=RepetitionLaw("logarithmic", 10.0))


def _budgets(trials: int) -> list[SearchBudget]:
    laws = [RepetitionLaw(name, float(trials), shape) for name, shape in COLUMNS]  # type: ignore[arg-type]
    laws.append(RepetitionLaw("poisson", float(trials)))
    budgets = [SearchBudget(7.0, 1e-5, law=law) for law in laws]
    return [*budgets, SearchBudget(7.0, 1e-5, trials=trials)]


@pytest.mark.parametrize("trials", [2, 10])
def test_the_table_of_epsilons_is_recomputed(trials: int) -> None:
    (row,) = re.findall(rf"^\| {trials} \| (.*) \|$", PAGE, re.MULTILINE)
    found = [float(cell) for cell in row.split(" | ")]
    plans = [SearchPlan.calibrate(budget, **SIZES) for budget in _budgets(trials)]
    assert found == [round(plan.trial_epsilon, 2) for plan in plans]


def test_two_trials_of_a_small_epsilon_cost_less_when_they_are_added_up() -> None:
    law = RepetitionLaw("logarithmic", 2.0)
    budgets = (SearchBudget(1.0, 1e-5, law=law), SearchBudget(1.0, 1e-5, trials=2))
    random, adaptive = (SearchPlan.calibrate(each, **SIZES).trial_epsilon for each in budgets)
    assert f"leave {random:.2f} by the logarithmic law and {adaptive:.2f} by" in TEXT


def test_trials_that_differ_from_the_recipe_lose_what_is_said() -> None:
    plan = SearchPlan.calibrate(_random(7.0), **SIZES, bound="renyi")
    others = ((1024, 30), (512, 30), (2048, 30), (1024, 15), (1024, 60))
    same, half, twice, short, long = (
        plan.trial_plan(clip_norm=1.0, batch_size=batch_size, epochs=epochs).epsilon
        for batch_size, epochs in others
    )
    assert (
        f"can use {half:.2f} instead of {same:.2f}, one with twice as much {twice:.2f}, "
        f"one with half the epochs {short:.2f}, one with twice as many {long:.2f}"
    ) in TEXT


def test_the_noise_on_scores_is_what_is_said() -> None:
    large, middle, small = (
        SearchPlan.calibrate(_random(epsilon), **SIZES).score_noise_multiplier
        for epsilon in (7.0, 3.0, 1.0)
    )
    said = (
        f"{large:.1f} images at epsilon 7, {middle:.1f} at epsilon 3 and {small:.1f} at epsilon 1"
    )
    assert said in TEXT


def test_the_law_draws_what_is_said() -> None:
    law = RepetitionLaw("logarithmic", 10.0)
    assert f"half of all searches have at most {law.quantile(0.5)} trials" in TEXT
    # So a hundredth or more lies beyond the number on the page.
    assert "one in a hundred has more than 80" in TEXT and law.quantile(0.99) > 80


def test_hyperband_has_the_schedules_that_are_named() -> None:
    found = re.search(r"schedules of (\d+), (\d+), (\d+) or (\d+) trials", TEXT)
    assert found is not None
    sizes = [int(size) for size in found.groups()]
    assert [trials_of("hyperband", size, None) for size in sizes] == sizes
    assert trials_of("hyperband", 10_000, None) == sizes[-1]
    for smaller, size in itertools.pairwise(sizes):
        assert trials_of("hyperband", size - 1, None) == smaller


def test_its_space_can_be_searched() -> None:
    names: dict[str, Any] = {}
    exec(_block("def space"), names)
    space = FunctionSpace(catalog.recipe("smoothnet", "mnist"), names["space"], "space")
    assert space.keys == ("privacy.clip_norm", "optimizer.momentum")


def test_its_tuner_searches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On few images, and nearly always with a single trial, for its time."""
    script = _block("PrivateTuner(")
    for on_the_page, here in (
        ("batch_size=1024, epochs=10", "batch_size=20, epochs=1"),
        ('"logarithmic", 8.0', '"logarithmic", 1.01'),
    ):
        assert on_the_page in script
        script = script.replace(on_the_page, here)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (100, 28, 28, 1)).astype("uint8")
    monkeypatch.chdir(tmp_path)

    exec(script, {"__name__": "__main__", "images": images, "labels": np.arange(100) % 10})

    assert "differentially private with epsilon = 3.00" in capsys.readouterr().out
    assert (tmp_path / "searches" / "private_search" / "examples.npz").is_file()


def test_readme_quotes_the_table() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    quoted = re.search(
        r"each trial has epsilon ([\d.]+\d),\s+where adding them up would leave ([\d.]+\d)", readme
    )
    assert quoted is not None
    (row,) = re.findall(r"^\| 10 \| (.*) \|$", PAGE, re.MULTILINE)
    cells = row.split(" | ")
    assert quoted.groups() == (cells[0], f"{cells[-1]}")
