"""`tfdpzoo plan --tune`: what each way of searching leaves for a trial."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest

from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.privacy.statement import round_up
from tfdpzoo.tuning.search_plan import SearchBudget, SearchPlan

Program = Callable[..., Any]

# All that are not held out are in each batch, of which the accountants know a closed form.
_RUN = (
    *("--delta", "1e-5", "--examples", "11250", "--held-out", "0.2"),
    *("--batch-size", "9000", "--epochs", "5"),
)
_WAYS = [
    RepetitionLaw("logarithmic", 4.0),
    RepetitionLaw("geometric", 4.0),
    RepetitionLaw("truncated negative binomial", 4.0, 0.5),
    RepetitionLaw("poisson", 4.0),
]


@functools.cache
def plan_of(**mode: Any) -> SearchPlan:
    return SearchPlan.calibrate(
        SearchBudget(5.0, 1e-5, **mode),
        examples=9_000,
        held_out_examples=2_250,
        batch_size=9_000,
        epochs=5.0,
    )


def test_the_numbers_are_those_of_the_plan_of_a_search(program: Program) -> None:
    told = json.loads(program("plan", "--epsilon", "5", *_RUN, "--tune", "4", "--json").out)

    assert [way["mode"] for way in told] == ["random"] * 4 + ["adaptive"]
    plans = [*(plan_of(law=law) for law in _WAYS), plan_of(trials=4)]
    for way, plan in zip(told, plans, strict=True):
        assert way["trial_epsilon"] == plan.trial_epsilon
        assert way["noise_multiplier"] == plan.noise_multiplier
        assert way["score_noise"] == plan.score_noise_multiplier
        assert way["reason"] is None
    for way, law in zip(told, _WAYS, strict=False):
        assert way["quantiles"] == {f"{share}": law.quantile(share) for share in (0.5, 0.9, 0.99)}
    assert told[2]["number_of_trials"] == "truncated negative binomial, shape 0.5, mean 4"
    assert (told[4]["number_of_trials"], told[4]["quantiles"]) == ("4", {})


def test_the_table_rounds_epsilon_up(program: Program) -> None:
    out = program("plan", "--epsilon", "5", *_RUN, "--tune", "4").out

    for law in _WAYS:
        plan = plan_of(law=law)
        (line,) = [line for line in out.splitlines() if f"{law.name}" in line]
        quantiles = " / ".join(str(law.quantile(share)) for share in (0.5, 0.9, 0.99))
        assert quantiles in line
        assert f"{round_up(plan.trial_epsilon)}" in line
        assert f"{plan.noise_multiplier:.4f}" in line
    (line,) = [line for line in out.splitlines() if "adaptive" in line]
    assert "always" in line
    assert f"{plan_of(trials=4).noise_multiplier:.4f}" in line


def test_an_adaptive_search_has_a_whole_number_of_trials(program: Program) -> None:
    told = json.loads(program("plan", "--epsilon", "5", *_RUN, "--tune", "2.5", "--json").out)

    assert [way["mode"] for way in told] == ["random"] * 4


_WHOLE = ("--batch-size", "1290")


def test_a_recipe_gives_what_is_not_given(program: Program) -> None:
    told = program("plan", "smoothnet", "--recipe", "digits", "--tune", "2", *_WHOLE, "--json")

    assert told.code == 0
    assert len(json.loads(told.out)) == 5


def test_a_budget_that_is_too_small_for_some_is_told_beside_the_others(program: Program) -> None:
    arguments = ("plan", "--epsilon", "0.5", *_RUN, "--tune", "60")

    told = json.loads(program(*arguments, "--json").out)
    outcome = program(*arguments)

    assert outcome.code == 0
    possible = [way for way in told if way["reason"] is None]
    impossible = [way for way in told if way["reason"] is not None]
    assert possible
    assert "adaptive" in {way["mode"] for way in impossible}
    for way in impossible:
        assert way["trial_epsilon"] is way["noise_multiplier"] is way["score_noise"] is None
        assert way["reason"] in " ".join(outcome.out.split())
    for way in possible:
        assert f"{way['noise_multiplier']:.4f}" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--noise-multiplier", "1", *_RUN, "--tune", "4"),
            "--noise-multiplier cannot be given with --tune",
        ),
        (
            ("--epsilon", "5", *_RUN[:-2], "--updates", "10", "--tune", "4"),
            "--updates cannot be given with --tune",
        ),
        (("--epsilon", "5", *_RUN, "--tune", "0.5"), "mean number of trials must be from 1.01 to"),
        (("--epsilon", "5", *_RUN, "--tune", "1"), "mean number of trials must be from 1.01 to"),
        (("--epsilon", "5", *_RUN, "--tune", "nan"), "mean number of trials must be from 1.01 to"),
        (("--epsilon", "5", *_RUN, "--tune", "inf"), "mean number of trials must be from 1.01 to"),
        (("--epsilon", "5", *_RUN, "--tune", "x"), "'x' is not a valid float"),
        (
            ("--epsilon", "5", *_RUN, "--tune", "4", "--held-out", "1"),
            "must be above 0 and below 1, not 1.0",
        ),
        (
            ("--epsilon", "5", *_RUN, "--tune", "4", "--held-out", "nan"),
            "must be above 0 and below 1, not nan",
        ),
        (
            ("--epsilon", "5", *_RUN, "--tune", "4", "--held-out", "1e-9"),
            "at least one held-out example",
        ),
        (("--epsilon", "-5", *_RUN, "--tune", "4"), "epsilon is -5"),
        (
            ("--epsilon", "5", *_RUN, "--delta", "1e-4", "--tune", "4"),
            "delta is 0.0001 but must be below 1 / 11250, one over the number of training and",
        ),
        (("--epsilon", "5", *_RUN, "--batch-size", "9001", "--tune", "4"), "batch_size is 9001"),
        (("--epsilon", "5", "--tune", "4"), "A plan needs more: give --examples, --batch-size"),
        (("smoothnet", "--recipe", "digits", "--tune", "4", "--updates", "5"), "--updates cannot"),
    ],
)
def test_what_cannot_be_planned_is_one_sentence(
    refused: Callable[..., str], arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refused("plan", *arguments)
