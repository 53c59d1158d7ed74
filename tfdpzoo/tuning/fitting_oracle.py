"""Which oracles fit which budget."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import keras_tuner

from tfdpzoo.errors import InputError
from tfdpzoo.tuning.halving import HalvingSchedule
from tfdpzoo.tuning.independent_oracle import IndependentOracle
from tfdpzoo.tuning.objective import OBJECTIVE, counted_objective, require_counted_objective
from tfdpzoo.tuning.search_plan import SearchBudget


def oracle_for(budget: SearchBudget) -> keras_tuner.Oracle:
    """Returns the usual oracle of a budget.

    Args:
        budget: With a law, settings are drawn independently; without, chosen by Bayesian
            optimization.
    """
    if budget.law is not None:
        return IndependentOracle(counted_objective())
    return keras_tuner.oracles.BayesianOptimizationOracle(
        counted_objective(), max_trials=budget.trials
    )


def require_fitting(oracle: keras_tuner.Oracle, budget: SearchBudget, keep_trials: bool) -> None:
    """Refuses an oracle whose search the budget would not cover, and prepares any other.

    Args:
        oracle: Any oracle.
        budget: Of the search.
        keep_trials: Whether losing trials are kept.

    Raises:
        InputError: The oracle or its objective does not fit.
    """
    require_counted_objective(getattr(oracle.objective, "name", str(oracle.objective)))
    if oracle.objective.direction != "max":
        raise InputError(f"The objective {OBJECTIVE} is to be large; give it the direction max.")
    if budget.law is not None and type(oracle) is not IndependentOracle:
        raise InputError(
            f"A random number of trials is accounted for settings that are drawn independently, "
            f"but {type(oracle).__name__} chooses them in view of earlier trials. Leave the oracle "
            "out, or give the budget a number of trials that all count: SearchBudget(trials=...)."
        )
    if budget.law is not None and keep_trials:
        raise InputError(
            "With a random number of trials only the best one may be released; to keep the others, "
            "give the budget a number of trials that all count: SearchBudget(trials=...)."
        )
    trials = schedule_of(oracle).trials
    if trials is not None and trials != budget.trials:
        raise InputError(
            f"This Hyperband runs {trials} trials, and the budget is for {budget.trials}; give it "
            f"trials={trials}, or another max_epochs or factor."
        )
    # A trial that crashed has been counted, and is not run again; the others go on.
    oracle.max_retries_per_trial = 0
    oracle.max_consecutive_failed_trials = sys.maxsize


@dataclass(frozen=True)
class NoSchedule:
    """Of an oracle that gives all trials the same epochs."""

    trials: None = None
    longest_trials: None = None


def schedule_of(oracle: keras_tuner.Oracle) -> HalvingSchedule | NoSchedule:
    """Returns how many trials an oracle runs and how long they are, as far as it decides that.

    Args:
        oracle: Any oracle.
    """
    if isinstance(oracle, keras_tuner.oracles.HyperbandOracle):
        return HalvingSchedule.of(oracle)
    return NoSchedule()
