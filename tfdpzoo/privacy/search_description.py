"""What a record says in words of a search whose cost is in epsilon."""

from __future__ import annotations

import math

from tfdpzoo.privacy.search import Search
from tfdpzoo.privacy.statement import round_up


def describe_search(search: Search) -> str:
    """Returns how the settings were chosen, at which cost, and what has to stay secret."""
    if search.law is None:
        return (
            f"accounted: {search.trials:,} trials were paid for in full, each of them chosen in "
            f"view of the noised scores before it. {_trial(search)} One trial costs "
            f"{_of_one(search)} and all of them together {_in_total(search)}. "
            f"{_losing_trials(search)}"
        )
    theorem = 6 if search.law.may_be_none else 2
    return (
        "accounted: the settings of each trial were drawn anew from one distribution, whatever "
        f"came of the others, and the number of trials from {search.law.description}. "
        f"{_trial(search)} One trial costs {_of_one(search)} and the release of the best, with its "
        f"settings and its noised score, {_in_total(search)} (Papernot and Steinke 2022, theorem "
        f"{theorem}). That holds only while the number of trials stays secret, as do the scores, "
        "settings and weights of all other trials, and how long the search took"
    )


def _trial(search: Search) -> str:
    updates = f"{search.trial.updates:,}"
    trained = f"executed at most {updates} updates with one noise multiplier and one sampling rate"
    if search.bound == "renyi":
        trained = f"had at most the Renyi divergences of {updates} updates of the recorded trial"
    together = ""
    if search.updates is not None and search.bound == "exact":
        together = f", all together at most {search.updates:,},"
    return (
        f"Each {trained}{together} and got one score: the number of right answers on "
        f"{search.held_out_examples:,} held-out examples with Gaussian noise of standard deviation "
        f"{search.score_noise_multiplier:g}."
    )


def _of_one(search: Search) -> str:
    accountant = "PLD" if search.bound == "exact" else "RDP"
    return f"epsilon = {_shown(search.trial_epsilon)} by {accountant} accounting"


def _in_total(search: Search) -> str:
    accountant = "PLD" if search.by_pld else "RDP"
    return f"epsilon = {_shown(search.total_epsilon)} by {accountant} accounting"


def _shown(epsilon: float) -> str:
    return "infinity" if math.isinf(epsilon) else round_up(epsilon)


def _losing_trials(search: Search) -> str:
    if search.released == "all trials":
        return "Released are the final weights, settings and noised scores of all trials"
    return "Released is the best trial; the others are covered too"
