"""Which of KerasTuner's oracles a search asks, and how many trials that makes."""

from __future__ import annotations

import keras_tuner
from keras_tuner.oracles import (
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
    RandomSearchOracle,
)

from tfdpzoo.cli.search_order import SearchOrder
from tfdpzoo.errors import InputError
from tfdpzoo.tuning.halving import HalvingSchedule
from tfdpzoo.tuning.objective import counted_objective
from tfdpzoo.tuning.search_plan import SearchBudget

_LONGEST = (3, 9, 27, 81)
"""The longest trials of Hyperband in units of its shortest ones."""


def trials_of(oracle: str | None, asked: int, size: int | None) -> int:
    """Returns how many trials an oracle of the adaptive mode runs.

    Args:
        oracle: Its name; None for the default.
        asked: How many are wanted at most.
        size: How many different settings there are; None for a continuous space.

    Raises:
        InputError: Hyperband needs more, or a grid has no end.
    """
    if oracle == "grid":
        if size is None:
            raise InputError(
                "--oracle grid needs a space with an end: give each setting in [tune] values, or a "
                "step."
            )
        return min(asked, size)
    if oracle == "hyperband":
        return HalvingSchedule.of(_hyperband(asked)).trials
    return asked


def oracle_of(order: SearchOrder, budget: SearchBudget) -> keras_tuner.Oracle | None:
    """Returns the oracle of a search; None for the default of its mode.

    Args:
        order: What was asked for.
        budget: Of the search.
    """
    objective = counted_objective()
    if order.mode == "random" or order.oracle is None:
        return None
    if order.oracle == "hyperband":
        return _hyperband(int(order.trials))
    kinds = {
        "random": RandomSearchOracle,
        "bayesian": BayesianOptimizationOracle,
        "grid": GridSearchOracle,
    }
    return kinds[order.oracle](objective=objective, max_trials=budget.trials)


def _hyperband(asked: int) -> HyperbandOracle:
    """The largest Hyperband with no more trials than were asked for."""
    fitting = [
        oracle
        for longest in _LONGEST
        if HalvingSchedule.of(oracle := HyperbandOracle(counted_objective(), longest)).trials
        <= asked
    ]
    if not fitting:
        least = HalvingSchedule.of(HyperbandOracle(counted_objective(), _LONGEST[0])).trials
        raise InputError(
            f"--oracle hyperband runs at least {least} trials, not {asked}; give --trials {least}."
        )
    return fitting[-1]
