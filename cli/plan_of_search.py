"""What each way of searching leaves for a trial, told before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from tfdpzoo.cli.console import columns
from tfdpzoo.privacy.law_names import LAWS
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.privacy.statement import round_up
from tfdpzoo.tuning.held_out_share import require_share
from tfdpzoo.tuning.search_plan import SearchBudget, SearchPlan, TooSmallBudgetError

_SHAPE = 0.5
_HEAD = ("mode", "number of trials", "half / 90 % / 99 % at most", "epsilon a trial", "sigma")
_SHARES = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class WayOfSearching:
    """One way to spend a budget.

    Attributes:
        mode: `random` or `adaptive`.
        number: How the number of trials comes about, in words.
        quantiles: Numbers of trials that are not exceeded with a probability of a half, 90 % and
            99 %; empty where the number is fixed.
        plan: Of each trial; None where the budget is too small.
        reason: Why it is.
    """

    mode: str
    number: str
    quantiles: tuple[int, ...]
    plan: SearchPlan | None
    reason: str | None = None


def ways_of_searching(
    settings: Mapping[str, Any], trials: float, held_out: float
) -> list[WayOfSearching]:
    """Returns what each mode and law leaves for a trial.

    Args:
        settings: Of one run: epsilon, delta, examples, batch_size and epochs.
        trials: How many, on average or exactly.
        held_out: The share of the examples that is held out.

    Raises:
        InputError: A number is out of its range.
    """
    require_share(held_out)
    scored = round(held_out * settings["examples"])
    sizes = {
        "examples": settings["examples"] - scored,
        "held_out_examples": scored,
        "batch_size": settings["batch_size"],
        "epochs": settings["epochs"],
    }
    laws = [RepetitionLaw(name, trials, _shape(name)) for name in LAWS]  # type: ignore[arg-type]
    ways = [_way(settings, sizes, law=law) for law in laws]
    if trials.is_integer():
        ways.append(_way(settings, sizes, trials=int(trials)))
    return ways


def table_of_ways(ways: list[WayOfSearching]) -> Table:
    """Returns the ways as a table for people."""
    rows = [
        (
            way.mode,
            way.number,
            " / ".join(map(str, way.quantiles)) or "always",
            "-" if way.plan is None else round_up(way.plan.trial_epsilon),
            "-" if way.plan is None else f"{way.plan.noise_multiplier:.4f}",
        )
        for way in ways
    ]
    return columns(_HEAD, rows, right=_HEAD[2:])


def fields_of_ways(ways: list[WayOfSearching]) -> list[dict[str, Any]]:
    """Returns the ways as JSON fields."""
    return [
        {
            "mode": way.mode,
            "number_of_trials": way.number,
            "quantiles": dict(zip(map(str, _SHARES), way.quantiles, strict=False)),
            "trial_epsilon": None if way.plan is None else way.plan.trial_epsilon,
            "noise_multiplier": None if way.plan is None else way.plan.noise_multiplier,
            "score_noise": None if way.plan is None else way.plan.score_noise_multiplier,
            "reason": way.reason,
        }
        for way in ways
    ]


def _way(
    settings: Mapping[str, Any],
    sizes: Mapping[str, Any],
    *,
    law: RepetitionLaw | None = None,
    trials: int | None = None,
) -> WayOfSearching:
    budget = SearchBudget(settings["epsilon"], settings["delta"], law=law, trials=trials)
    plan, reason = None, None
    try:
        plan = SearchPlan.calibrate(budget, **sizes)
    except TooSmallBudgetError as error:
        reason = str(error)
    if law is None:
        return WayOfSearching(budget.mode, f"{trials}", (), plan, reason)
    shape = "" if law.shape is None else f", shape {law.shape:g}"
    quantiles = tuple(law.quantile(share) for share in _SHARES)
    return WayOfSearching(
        budget.mode, f"{law.name}{shape}, mean {law.mean:g}", quantiles, plan, reason
    )


def _shape(name: str) -> float | None:
    return _SHAPE if name == "truncated negative binomial" else None
