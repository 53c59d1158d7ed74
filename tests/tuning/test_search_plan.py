"""The plan of a search: its cost is computed anew here, by dp-accounting and nothing of ours."""

from __future__ import annotations

import dataclasses
import functools
import math

import dp_accounting
import numpy as np
import pytest
from dp_accounting import dp_event, pld, rdp
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_tuner.oracles import HyperbandOracle

from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.errors import InputError
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.tuning.halving import HalvingSchedule
from tfdpzoo.tuning.objective import counted_objective
from tfdpzoo.tuning.search_plan import (
    SMALLEST_TRIAL_EPSILON,
    SearchBudget,
    SearchPlan,
    TooSmallBudgetError,
)

DELTA = 1e-5
ISSUE = {"examples": 45_000, "held_out_examples": 5_000, "batch_size": 1024, "epochs": 30.0}
ETAS = {
    RepetitionLaw("logarithmic", 10.0): 0.0,
    RepetitionLaw("geometric", 10.0): 1.0,
    RepetitionLaw("truncated negative binomial", 10.0, 0.5): 0.5,
    RepetitionLaw("poisson", 10.0): math.inf,
}
# The calibrations stop within 1e-5 of the least noise, which epsilon follows about linearly.
ALMOST = 0.99


def updates_event(plan: SearchPlan, updates: int) -> dp_accounting.DpEvent:
    gaussian = dp_accounting.GaussianDpEvent(plan.noise_multiplier)
    sampled = dp_accounting.PoissonSampledDpEvent(plan.batch_size / plan.examples, gaussian)
    return dp_accounting.SelfComposedDpEvent(sampled, updates)


def by_pld(event: dp_accounting.DpEvent, delta: float = DELTA) -> float:
    accountant = pld.PLDAccountant(dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE, 1e-3)
    return accountant.compose(event).get_epsilon(delta)


def by_rdp(event: dp_accounting.DpEvent, delta: float = DELTA) -> float:
    return rdp.RdpAccountant().compose(event).get_epsilon(delta)


def renyi_divergences(noise_multiplier: float, sampling_rate: float, updates: int) -> np.ndarray:
    gaussian = dp_accounting.GaussianDpEvent(noise_multiplier)
    sampled = dp_accounting.PoissonSampledDpEvent(sampling_rate, gaussian)
    accountant = rdp.RdpAccountant().compose(dp_accounting.SelfComposedDpEvent(sampled, updates))
    return np.asarray(accountant.rdp)


@functools.cache
def issue_plan(budget: SearchBudget, bound: str = "exact") -> SearchPlan:
    return SearchPlan.calibrate(budget, **ISSUE, bound=bound)


def budget_of(law: RepetitionLaw, mean: float = 10.0, epsilon: float = 7.0) -> SearchBudget:
    return SearchBudget(epsilon, DELTA, law=dataclasses.replace(law, mean=mean))


@settings(max_examples=2, deadline=None)
@given(
    epsilon=st.floats(1.0, 9.0),
    trials=st.integers(1, 30),
    batch_size=st.integers(64, 2048),
    epochs=st.floats(1.0, 40.0),
)
def test_an_adaptive_search_spends_its_budget_and_no_more(epsilon, trials, batch_size, epochs):
    budget = SearchBudget(epsilon, DELTA, trials=trials)
    try:
        plan = SearchPlan.calibrate(
            budget,
            examples=20_000,
            held_out_examples=2_000,
            batch_size=batch_size,
            epochs=epochs,
        )
    except TooSmallBudgetError:
        assert epsilon / trials < 1
        return

    updates = int(epochs * 20_000 / batch_size + 1e-9)
    assert (plan.updates, plan.updates_in_all) == (updates, updates * trials)
    assert ALMOST * epsilon < by_pld(updates_event(plan, updates * trials)) <= epsilon
    scores = dp_accounting.SelfComposedDpEvent(
        dp_accounting.GaussianDpEvent(plan.score_noise_multiplier), trials
    )
    assert by_pld(scores) <= epsilon
    # The scores' noise is found by RDP, which bounds PLD from above.
    assert ALMOST * epsilon < by_rdp(scores) <= epsilon


@settings(max_examples=2, deadline=None)
@given(
    law=st.sampled_from(list(ETAS)),
    epsilon=st.floats(2.0, 9.0),
    mean=st.floats(1.5, 20.0),
    batch_size=st.integers(64, 2048),
)
def test_a_random_search_spends_its_budget_and_no_more(law, epsilon, mean, batch_size):
    plan = SearchPlan.calibrate(
        budget_of(law, mean, epsilon),
        examples=20_000,
        held_out_examples=2_000,
        batch_size=batch_size,
        epochs=10,
    )

    trainings = dp_event.RepeatAndSelectDpEvent(updates_event(plan, plan.updates), mean, ETAS[law])
    score = dp_accounting.GaussianDpEvent(plan.score_noise_multiplier)
    scores = dp_event.RepeatAndSelectDpEvent(score, mean, ETAS[law])
    assert plan.updates_in_all is None
    assert ALMOST * epsilon < by_rdp(trainings) <= epsilon
    assert ALMOST * epsilon < by_rdp(scores) <= epsilon


def test_a_random_number_of_trials_leaves_each_at_least_a_fifth_more():
    random = issue_plan(budget_of(RepetitionLaw("logarithmic", 10.0)))
    counted = issue_plan(SearchBudget(7.0, DELTA, trials=10))

    per_trial = [by_pld(updates_event(plan, plan.updates)) for plan in (random, counted)]
    # The tolerance is a unit of the last digit that is told.
    assert per_trial == pytest.approx([4.07, 1.91], abs=0.01)
    assert per_trial[0] > 1.2 * per_trial[1]
    assert random.trial_epsilon == pytest.approx(per_trial[0], abs=1e-9)


@pytest.mark.parametrize("mean", [2, 5, 10, 50])
def test_the_laws_come_in_the_order_that_is_told(mean):
    logarithmic, geometric, between, poisson = (
        issue_plan(budget_of(law, float(mean))).trial_epsilon for law in ETAS
    )
    counted = issue_plan(SearchBudget(7.0, DELTA, trials=mean)).trial_epsilon

    assert logarithmic > between > geometric > counted
    # The lightest tail costs least for very few trials, and most for many.
    assert (poisson > logarithmic) == (mean == 2)
    assert (poisson > geometric) == (mean in (2, 5))
    assert poisson > counted


@pytest.mark.parametrize(
    "budget",
    [budget_of(RepetitionLaw("logarithmic", 10.0)), SearchBudget(7.0, DELTA, trials=4)],
    ids=["random", "adaptive"],
)
@pytest.mark.parametrize(
    ("batch_size", "epochs"), [(256, 30.0), (1024, 10.0), (1024, 60.0), (4096, 30.0)]
)
def test_other_trials_stay_below_the_plan_at_every_order(budget, batch_size, epochs):
    plan = issue_plan(budget, "renyi")
    trial = plan.trial_plan(clip_norm=1.0, batch_size=batch_size, epochs=epochs)

    allowed = renyi_divergences(plan.noise_multiplier, 1024 / 45_000, plan.updates)
    spent = renyi_divergences(trial.noise_multiplier, batch_size / 45_000, trial.updates)
    assert trial.updates == int(epochs * 45_000 / batch_size)
    assert (spent <= allowed).all()
    # Not by more noise than it takes: a thousandth less is too little somewhere.
    less = renyi_divergences(0.999 * trial.noise_multiplier, batch_size / 45_000, trial.updates)
    assert (less > allowed).any()


def test_the_plan_itself_has_the_noise_of_the_plan_where_trials_differ():
    plan = issue_plan(budget_of(RepetitionLaw("logarithmic", 10.0)), "renyi")

    same = plan.trial_plan(clip_norm=1.0, batch_size=1024, epochs=30.0)

    assert same.noise_multiplier == plan.noise_multiplier


def test_adaptive_trials_that_differ_pay_by_rdp_for_the_longest_each():
    plan = SearchPlan.calibrate(
        SearchBudget(7.0, DELTA, trials=4), **ISSUE, bound="renyi", longest_trials=1.5
    )

    assert plan.updates_in_all == 4 * plan.updates
    assert ALMOST * 7 < by_rdp(updates_event(plan, 4 * plan.updates)) <= 7


def test_a_trial_that_no_noise_can_make_cheap_enough_is_refused():
    plan = issue_plan(SearchBudget(7.0, DELTA, trials=4), "renyi")
    with pytest.raises(InputError, match=r"No noise brings 1000000000 updates with a sampling"):
        plan.trial_plan(clip_norm=1.0, batch_size=45_000, epochs=1e9)


@pytest.mark.parametrize(
    ("budget", "on_average"),
    [
        (SearchBudget(0.5, DELTA, trials=50), ""),
        (SearchBudget(0.4, DELTA, law=RepetitionLaw("poisson", 300.0)), " on average"),
    ],
    ids=["adaptive", "random"],
)
@pytest.mark.parametrize("bound", ["exact", "renyi"])
def test_a_budget_that_is_too_small_says_how_many_trials_fit(budget, on_average, bound):
    with pytest.raises(TooSmallBudgetError) as caught:
        SearchPlan.calibrate(budget, **ISSUE, bound=bound)
    sentence = str(caught.value)
    assert sentence.startswith(
        f"Epsilon {budget.epsilon:g} is too small for {budget.expected_trials:g} "
        f"trials{on_average}: it leaves each of them less than 0.1, with which nothing"
    )
    fit = int(sentence.split("at most ")[1].split(" ")[0])

    def calibrated(trials: int) -> SearchPlan:
        if budget.law is None:
            other = dataclasses.replace(budget, trials=trials)
        else:
            law = dataclasses.replace(budget.law, mean=float(trials))
            other = dataclasses.replace(budget, law=law)
        return SearchPlan.calibrate(other, **ISSUE, bound=bound)

    assert fit >= 2
    # The noise of the smallest trial is itself found to 1e-5.
    assert calibrated(fit).trial_epsilon > SMALLEST_TRIAL_EPSILON * (1 - 1e-3)
    with pytest.raises(TooSmallBudgetError, match=f"at most {fit} trials fit"):
        calibrated(fit + 1)


def test_a_budget_for_a_single_trial_or_less_says_so():
    with pytest.raises(TooSmallBudgetError, match="not even two trials fit"):
        issue_plan(SearchBudget(0.1, DELTA, trials=50))
    with pytest.raises(TooSmallBudgetError, match="too small even for a single trial"):
        issue_plan(SearchBudget(0.05, DELTA, trials=1))


def test_a_single_trial_has_the_whole_budget():
    plan = issue_plan(SearchBudget(7.0, DELTA, trials=1))

    alone = PrivacyPlan.calibrate(
        epsilon=7.0, delta=DELTA, examples=45_000, batch_size=1024, epochs=30
    )
    assert plan.noise_multiplier == alone.noise_multiplier


def test_delta_is_below_one_over_both_parts_together():
    budget = SearchBudget(7.0, 1 / 50_000, trials=2)
    with pytest.raises(InputError, match=r"delta is 2e-05 but must be below 1 / 50000, one over"):
        SearchPlan.calibrate(budget, **ISSUE)
    # It is below one over the training examples alone.
    assert budget.delta < 1 / ISSUE["examples"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"examples": 0}, "examples"),
        ({"held_out_examples": 0}, "at least one held-out example"),
        ({"batch_size": 50_000}, "batch_size"),
        ({"epochs": 0.0}, "epochs"),
    ],
)
def test_numbers_out_of_their_range_are_no_matter_of_the_budget(change, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        SearchPlan.calibrate(SearchBudget(7.0, DELTA, trials=2), **{**ISSUE, **change})
    assert not isinstance(caught.value, TooSmallBudgetError)


def test_an_exact_plan_takes_no_trial_that_differs():
    plan = issue_plan(SearchBudget(7.0, DELTA, trials=10))

    shorter = plan.trial_plan(clip_norm=0.5, epochs=10.0)
    assert (shorter.updates, shorter.clip_norm) == (439, 0.5)
    assert shorter.noise_multiplier == plan.noise_multiplier
    for batch_size, epochs in ((1023, 30.0), (1025, 30.0), (None, 31.0)):
        with pytest.raises(
            InputError, match="does not fit the plan of the search, batches of 1024"
        ):
            plan.trial_plan(clip_norm=1.0, batch_size=batch_size, epochs=epochs)
    with pytest.raises(InputError, match="clip_norm is -1"):
        plan.trial_plan(clip_norm=-1.0)


@pytest.mark.parametrize("bound", ["exact", "renyi"])
def test_a_trial_of_no_epochs_or_no_batch_is_refused(bound):
    plan = issue_plan(SearchBudget(7.0, DELTA, trials=4), bound)
    for epochs in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="epochs is .*; it must be a finite number above zero"):
            plan.trial_plan(clip_norm=1.0, epochs=epochs)
    with pytest.raises(InputError):
        plan.trial_plan(clip_norm=1.0, epochs=1e-3)
    with pytest.raises(InputError):
        plan.trial_plan(clip_norm=1.0, batch_size=0)
    with pytest.raises(InputError):
        plan.trial_plan(clip_norm=1.0, batch_size=45_001)


@pytest.mark.parametrize("longest", [3, 9, 10])
def test_shares_of_epochs_pay_for_the_updates_of_all_rounds(longest):
    oracle = HyperbandOracle(counted_objective(), max_epochs=longest, factor=3)
    schedule = HalvingSchedule.of(oracle)
    plan = SearchPlan.calibrate(
        SearchBudget(7.0, DELTA, trials=schedule.trials),
        **ISSUE,
        longest_trials=schedule.longest_trials,
    )

    executed = [
        oracle._get_size(bracket, number)
        * plan.trial_plan(
            clip_norm=1.0, epochs=30.0 * oracle._get_epochs(bracket, number) / longest
        ).updates
        for bracket in range(oracle._get_num_brackets())
        for number in range(bracket + 1)
    ]
    assert sum(executed) <= plan.updates_in_all < schedule.trials * plan.updates
    # Each trial is rounded down by less than one update.
    assert plan.updates_in_all - sum(executed) <= schedule.trials + plan.updates_in_all * 1e-3
    assert ALMOST * 7 < by_pld(updates_event(plan, plan.updates_in_all)) <= 7


def test_what_the_record_says_is_the_plan():
    plan = issue_plan(SearchBudget(7.0, DELTA, trials=10))

    search = plan.search("all trials")

    assert (search.mode, search.trials, search.law) == ("adaptive", 10, None)
    assert (search.trial, search.updates) == (plan.trial, plan.updates_in_all)
    assert search.held_out_examples == plan.held_out_examples
    assert search.score_noise_multiplier == plan.score_noise_multiplier
    assert search.total_epsilon == pytest.approx(
        by_pld(updates_event(plan, plan.updates_in_all)), abs=1e-9
    )
    assert search.released == "all trials"


def test_a_budget_has_a_law_or_a_number():
    law = RepetitionLaw("geometric", 10.0)
    for both in ({}, {"law": law, "trials": 10}):
        with pytest.raises(InputError, match="either a law of its number of trials or a number"):
            SearchBudget(7.0, DELTA, **both)
    with pytest.raises(InputError, match="needs at least one trial, not 0"):
        SearchBudget(7.0, DELTA, trials=0)
    assert SearchBudget(7.0, DELTA, law=law).expected_trials == 10.0
    assert SearchBudget(7.0, DELTA, trials=3).mode == "adaptive"
