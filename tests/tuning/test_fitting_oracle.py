"""Which oracle a budget covers, and why no other."""

from __future__ import annotations

import sys

import keras_tuner
import pytest
from keras_tuner.oracles import (
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
    RandomSearchOracle,
)

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.tuning.fitting_oracle import oracle_for, require_fitting, schedule_of
from tfdpzoo.tuning.halving import HalvingSchedule
from tfdpzoo.tuning.independent_oracle import IndependentOracle
from tfdpzoo.tuning.objective import OBJECTIVE, counted_objective
from tfdpzoo.tuning.search_plan import SearchBudget

RANDOM = SearchBudget(7.0, 1e-5, law=RepetitionLaw("logarithmic", 10.0))
ADAPTIVE = SearchBudget(7.0, 1e-5, trials=6)
ADAPTIVE_ORACLES = [BayesianOptimizationOracle, GridSearchOracle, RandomSearchOracle]


class LearningOracle(IndependentOracle):
    """It could do anything, so its draws are not known to be independent."""


def test_each_mode_has_its_oracle():
    assert type(oracle_for(RANDOM)) is IndependentOracle
    adaptive = oracle_for(ADAPTIVE)
    assert type(adaptive) is BayesianOptimizationOracle
    assert adaptive.max_trials == 6
    require_fitting(oracle_for(RANDOM), RANDOM, keep_trials=False)
    require_fitting(adaptive, ADAPTIVE, keep_trials=True)


@pytest.mark.parametrize("kind", [*ADAPTIVE_ORACLES, HyperbandOracle, LearningOracle])
def test_a_random_number_of_trials_takes_independent_draws_alone(kind):
    with pytest.raises(InputError, match=f"independently, but {kind.__name__} chooses them in"):
        require_fitting(kind(counted_objective()), RANDOM, keep_trials=False)


def test_a_random_number_of_trials_releases_the_best_alone():
    with pytest.raises(InputError, match="only the best one may be released; to keep the others"):
        require_fitting(oracle_for(RANDOM), RANDOM, keep_trials=True)


@pytest.mark.parametrize("kind", [*ADAPTIVE_ORACLES, IndependentOracle])
def test_trials_that_all_count_take_any_oracle(kind):
    for keep_trials in (False, True):
        require_fitting(kind(counted_objective()), ADAPTIVE, keep_trials)


@pytest.mark.parametrize("budget", [RANDOM, ADAPTIVE], ids=["random", "adaptive"])
def test_other_objectives_are_not_counted(budget):
    for name in ("accuracy", "val_accuracy"):
        oracle = IndependentOracle(keras_tuner.Objective(name, "max"))
        with pytest.raises(InputError, match=f"The objective {name} is computed on"):
            require_fitting(oracle, budget, keep_trials=False)
    with pytest.raises(InputError, match="is to be large; give it the direction max"):
        require_fitting(IndependentOracle(keras_tuner.Objective(OBJECTIVE, "min")), budget, False)


def test_several_objectives_at_once_are_refused():
    oracle = RandomSearchOracle([counted_objective(), keras_tuner.Objective("loss", "min")])
    with pytest.raises(InputError, match="The objective"):
        require_fitting(oracle, ADAPTIVE, keep_trials=False)


def test_hyperband_runs_the_trials_that_are_paid_for():
    oracle = HyperbandOracle(counted_objective(), max_epochs=9, factor=3)
    with pytest.raises(InputError, match="This Hyperband runs 23 trials, and the budget is for 6"):
        require_fitting(oracle, ADAPTIVE, keep_trials=False)
    require_fitting(oracle, SearchBudget(7.0, 1e-5, trials=23), keep_trials=False)
    assert schedule_of(oracle) == HalvingSchedule.of(oracle)


def test_only_hyperband_has_a_schedule():
    for kind in (*ADAPTIVE_ORACLES, IndependentOracle):
        schedule = schedule_of(kind(counted_objective()))
        assert (schedule.trials, schedule.longest_trials) == (None, None)


def test_a_trial_that_crashed_is_counted_and_not_run_again():
    oracle = BayesianOptimizationOracle(counted_objective(), max_retries_per_trial=3)

    require_fitting(oracle, ADAPTIVE, keep_trials=False)

    assert oracle.max_retries_per_trial == 0
    assert oracle.max_consecutive_failed_trials == sys.maxsize
