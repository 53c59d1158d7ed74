"""What Hyperband is said to run is what it runs."""

from __future__ import annotations

import pytest
from driven_oracles import drive, scores_of, space
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle

from tfdpzoo.tuning.halving import HalvingSchedule, share_of_epochs
from tfdpzoo.tuning.objective import counted_objective


def hyperband(longest: int, factor: int = 3, iterations: int = 1) -> HyperbandOracle:
    return HyperbandOracle(
        counted_objective(),
        max_epochs=longest,
        factor=factor,
        hyperband_iterations=iterations,
        hyperparameters=space(),
        seed=0,
    )


@pytest.mark.parametrize(
    ("longest", "factor", "iterations"),
    [(3, 3, 1), (9, 3, 1), (10, 3, 1), (27, 3, 1), (8, 2, 1), (3, 3, 2)],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_hyperband_runs_what_is_paid_for(tmp_path, longest, factor, iterations, seed):
    schedule = HalvingSchedule.of(hyperband(longest, factor, iterations))

    run = drive(hyperband(longest, factor, iterations), tmp_path, scores_of(seed))

    assert len(run) == schedule.trials
    epochs = sum(settings["tuner/epochs"] for settings in run)
    assert epochs / longest == pytest.approx(schedule.longest_trials, rel=1e-12)


def test_shares_are_those_of_the_longest_trial(tmp_path):
    oracle = hyperband(9)
    run = drive(oracle, tmp_path, scores_of(0))

    shares = [share_of_epochs(oracle, settings) for settings in run]

    assert set(shares) == {1 / 9, 1 / 3, 1.0}
    assert sum(shares) == pytest.approx(HalvingSchedule.of(oracle).longest_trials)


def test_other_oracles_give_every_trial_all_epochs():
    oracle = BayesianOptimizationOracle(counted_objective())
    assert share_of_epochs(oracle, {"rate": 0.5}) == 1.0
