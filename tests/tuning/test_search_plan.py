"""The plan of a search: the whole stays within its budget, recomputed without the plan's code."""

from __future__ import annotations

import dataclasses
import math
import re

import dp_accounting
import numpy as np
import pytest
from dp_accounting import dp_event, pld, rdp
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.tuning.search_plan import SMALLEST_TRIAL_EPSILON, SearchBudget, SearchPlan

DELTA = 1e-5
SIZES = {"examples": 45_000, "held_out_examples": 5_000, "batch_size": 1024, "epochs": 30}
SHAPES = {
    "logarithmic": 0.0,
    "truncated negative binomial": 0.5,
    "geometric": 1.0,
    "poisson": math.inf,
}


def _law(name: str, mean: float) -> RepetitionLaw:
    shape = 0.5 if name == "truncated negative binomial" else None
    return RepetitionLaw(name, mean, shape)  # type: ignore[arg-type]


def _updates(plan: SearchPlan, count: int) -> dp_accounting.DpEvent:
    sampled = dp_accounting.PoissonSampledDpEvent(
        plan.batch_size / plan.examples, dp_accounting.GaussianDpEvent(plan.noise_multiplier)
    )
    return dp_accounting.SelfComposedDpEvent(sampled, count)


def _by_rdp(event: dp_accounting.DpEvent) -> float:
    return float(rdp.RdpAccountant().compose(event).get_epsilon(DELTA))


def _by_pld(event: dp_accounting.DpEvent) -> float:
    return float(pld.PLDAccountant().compose(event).get_epsilon(DELTA))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("epsilon", "mean"), [(7.0, 10.0), (1.0, 3.0)])
def test_a_random_search_spends_its_budget_and_no_more(
    name: str, epsilon: float, mean: float
) -> None:
    plan = SearchPlan.calibrate(SearchBudget(epsilon, DELTA, law=_law(name, mean)), **SIZES)
    for event in (
        _updates(plan, plan.updates),
        dp_accounting.GaussianDpEvent(plan.score_noise_multiplier),
    ):
        spent = _by_rdp(dp_event.RepeatAndSelectDpEvent(event, mean, SHAPES[name]))
        # The noise is found to a relative 1e-5 from above.
        assert 0.999 * epsilon < spent <= epsilon
    assert plan.updates == 30 * 45_000 // 1024


@pytest.mark.parametrize(("epsilon", "trials"), [(7.0, 10), (2.0, 4)])
def test_an_adaptive_search_spends_its_budget_and_no_more(epsilon: float, trials: int) -> None:
    plan = SearchPlan.calibrate(SearchBudget(epsilon, DELTA, trials=trials), **SIZES)
    assert plan.updates_in_all == trials * plan.updates
    # The test's accountant has a grid ten times finer than ours, which claims a little less.
    assert 0.995 * epsilon < _by_pld(_updates(plan, trials * plan.updates)) <= epsilon
    scores = dp_accounting.SelfComposedDpEvent(
        dp_accounting.GaussianDpEvent(plan.score_noise_multiplier), trials
    )
    assert _by_pld(scores) <= epsilon
    assert _by_rdp(scores) > 0.999 * epsilon


def test_the_logarithmic_law_leaves_a_fifth_more_than_composition() -> None:
    """What the random mode is for, at mean 10 and epsilon 7; 4.07 against 1.91 when measured."""
    random = SearchPlan.calibrate(SearchBudget(7.0, DELTA, law=_law("logarithmic", 10)), **SIZES)
    adaptive = SearchPlan.calibrate(SearchBudget(7.0, DELTA, trials=10), **SIZES)
    by_law, composed = (_by_pld(_updates(plan, plan.updates)) for plan in (random, adaptive))
    assert by_law > 1.2 * composed
    assert by_law == pytest.approx(random.trial_epsilon, rel=1e-3)


@given(batch_size=st.sampled_from([128, 1024, 4096]), epochs=st.sampled_from([3.0, 30.0, 60.0]))
@settings(max_examples=6, deadline=None)
def test_other_trials_have_no_larger_renyi_divergences(batch_size: int, epochs: float) -> None:
    """At all orders that the accountant looks at, which is what the accounting rests on."""
    budget = SearchBudget(7.0, DELTA, law=_law("logarithmic", 10))
    plan = SearchPlan.calibrate(budget, **SIZES, bound="renyi")
    trial = plan.trial_plan(clip_norm=0.3, batch_size=batch_size, epochs=epochs)
    assert trial.updates == int(epochs * 45_000 / batch_size)
    allowed = rdp.RdpAccountant().compose(_updates(plan, plan.updates)).rdp
    sampled = dp_accounting.PoissonSampledDpEvent(
        batch_size / 45_000, dp_accounting.GaussianDpEvent(trial.noise_multiplier)
    )
    found = rdp.RdpAccountant().compose(dp_accounting.SelfComposedDpEvent(sampled, trial.updates))
    assert np.all(found.rdp <= allowed * (1 + 1e-9))
    # With a little less noise one of the orders would be above: the bound is used.
    less = dp_accounting.PoissonSampledDpEvent(
        batch_size / 45_000, dp_accounting.GaussianDpEvent(0.999 * trial.noise_multiplier)
    )
    above = rdp.RdpAccountant().compose(dp_accounting.SelfComposedDpEvent(less, trial.updates))
    assert np.any(above.rdp > allowed)


def test_an_adaptive_search_of_unlike_trials_pays_for_the_longest() -> None:
    budget = SearchBudget(7.0, DELTA, trials=5)
    plan = SearchPlan.calibrate(budget, **SIZES, bound="renyi", longest_trials=2.5)
    assert plan.updates_in_all == 5 * plan.updates
    assert _by_rdp(_updates(plan, 5 * plan.updates)) <= 7.0


def test_shorter_trials_of_the_same_kind_are_paid_for_as_what_they_are() -> None:
    budget = SearchBudget(7.0, DELTA, trials=6)
    plan = SearchPlan.calibrate(budget, **SIZES, longest_trials=4.0)
    assert plan.updates_in_all == 4 * plan.updates
    assert plan.trial_epsilon > SearchPlan.calibrate(budget, **SIZES).trial_epsilon
    assert plan.trial_plan(clip_norm=1.0, epochs=10.0).updates < plan.updates


@pytest.mark.parametrize(
    "arguments", [{"batch_size": 512}, {"epochs": 30.5}, {"batch_size": 2048, "epochs": 1}]
)
def test_trials_are_alike_unless_the_plan_is_for_others(arguments: dict[str, float]) -> None:
    plan = SearchPlan.calibrate(SearchBudget(7.0, DELTA, trials=10), **SIZES)
    with pytest.raises(InputError, match="does not fit the plan of the search"):
        plan.trial_plan(clip_norm=1.0, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("by_law", [True, False])
def test_a_budget_that_is_too_small_says_how_many_trials_fit(by_law: bool) -> None:
    """So many trials do fit, and one more does not."""

    def budget(trials: int) -> SearchBudget:
        if by_law:
            return SearchBudget(0.3, DELTA, law=_law("poisson", float(trials)))
        return SearchBudget(0.3, DELTA, trials=trials)

    with pytest.raises(InputError) as refused:
        SearchPlan.calibrate(budget(500), **SIZES)
    found = re.search(r"at most (\d+) trials fit", str(refused.value))
    assert found is not None, refused.value
    most = int(found[1])
    plan = SearchPlan.calibrate(budget(most), **SIZES)
    assert plan.trial_epsilon >= SMALLEST_TRIAL_EPSILON
    with pytest.raises(InputError, match="is too small"):
        SearchPlan.calibrate(budget(most + 1), **SIZES)


def test_not_even_two_trials_fit_a_tiny_budget() -> None:
    with pytest.raises(InputError, match="not even two trials fit"):
        SearchPlan.calibrate(SearchBudget(0.11, DELTA, trials=10), **SIZES)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"held_out_examples": 60_000}, "training and held-out examples together"),
        ({"batch_size": 50_000}, "there are only 45000 examples"),
        ({"epochs": 0.001}, "make no update"),
        ({"epochs": -1}, "must be a finite number above zero"),
    ],
)
def test_settings_that_do_not_fit_are_a_sentence(changes: dict[str, float], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        SearchPlan.calibrate(SearchBudget(7.0, DELTA, trials=2), **{**SIZES, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "either a law"),
        ({"trials": 3, "law": _law("geometric", 3.0)}, "either a law"),
        ({"trials": 0}, "at least one trial"),
    ],
)
def test_a_budget_has_one_way_to_count(arguments: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        SearchBudget(7.0, DELTA, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.inf, math.nan])
def test_an_impossible_epsilon_is_a_sentence(epsilon: float) -> None:
    with pytest.raises(InputError, match="above zero"):
        SearchBudget(epsilon, DELTA, trials=2)


def test_the_noise_of_trials_reaches_as_far_as_all_of_them_need() -> None:
    plan = SearchPlan.calibrate(SearchBudget(7.0, DELTA, trials=10), **SIZES)
    trial = plan.trial_plan(clip_norm=1.0)
    assert trial.runs == 10
    assert trial.noise_reach > dataclasses.replace(trial, runs=1.0).noise_reach
