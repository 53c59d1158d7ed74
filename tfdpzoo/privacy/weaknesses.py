"""What the numbers of a record show by themselves: weaknesses, and what cannot be stated at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.accounting import SMALLEST_DELTA
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.privacy.record import Claim
from tfdpzoo.privacy.search import Search

_SAME = 1e-6
"""Relative: processors round differently."""


def evident_weaknesses(
    claim: Claim,
    clip_norm: float | None,
    examples: int,
    segments: Sequence[Segment],
    search: Search | None,
) -> tuple[str, ...]:
    """Returns the weaknesses that the numbers of a record show by themselves.

    Args:
        claim: Epsilon, delta and target.
        clip_norm: C; None for a run without clipping.
        examples: N, the number of training examples.
        segments: The executed updates.
        search: By which the run was chosen, if its cost is in the claim.
    """
    found = []
    claimed = "the executed updates" if search is None else "the search"
    if clip_norm is None:
        found.append("gradients were not clipped, so one example's influence is not bounded")
    if math.isinf(claim.epsilon):
        found.append(f"no finite epsilon holds for {claimed}")
    elif claim.target_epsilon is not None and claim.epsilon > claim.target_epsilon:
        verb = "cost" if search is None else "costs"
        found.append(f"{claimed} {verb} more than the target epsilon of {claim.target_epsilon:g}")
    if claim.delta >= 1 / _protected(examples, search):
        found.append(f"delta is not below {largest_delta(examples, search, ' = ')}")
    if claim.delta < SMALLEST_DELTA:
        found.append(
            f"delta is below {SMALLEST_DELTA:g}, where the accountant's rounding may understate "
            "epsilon"
        )
    if search is not None and not search.allows(segments):
        found.append("the executed updates are not within the trial that the search accounts for")
    return tuple(found)


def _protected(examples: int, search: Search | None) -> int:
    return examples + (0 if search is None else search.held_out_examples)


def largest_delta(examples: int, search: Search | None, link: str) -> str:
    """Says below what delta has to be: one over all protected examples.

    Args:
        examples: N, the number of training examples.
        search: By which the run was chosen; its held-out examples are protected as well.
        link: Between the formula and the number.
    """
    name = "N" if search is None else "(N + held-out examples)"
    return f"1 / {name}{link}1 / {_protected(examples, search)}"


def require_accounted(search: Search, delta: float, discretization_interval: float) -> None:
    """Refuses a search whose epsilons do not follow from it.

    Args:
        search: By which the run was chosen.
        delta: Of the claim.
        discretization_interval: Width of PLD's grid of privacy losses.

    Raises:
        InputError: An epsilon is another.
    """
    computed = search.with_epsilons(delta, discretization_interval)
    for name in ("trial_epsilon", "total_epsilon"):
        given, due = getattr(search, name), getattr(computed, name)
        if not math.isclose(given, due, rel_tol=_SAME):
            raise InputError(
                f"The {name} of the search is {given:g}, but at delta {delta:g} it is {due:g}; make"
                " the search with account_search at the delta of the guarantee."
            )


def require_consistent(
    delta: float,
    clip_norm: float | None,
    noise_multiplier: float | None,
    examples: int,
    expected_batch: int,
) -> None:
    """Refuses numbers of which nothing can be stated, not even that it is invalid.

    Args:
        delta: Of the claim.
        clip_norm: C; None for a run without clipping.
        noise_multiplier: The smallest of the executed segments; None without any.
        examples: N, the number of training examples.
        expected_batch: Mean size of a Poisson sample.

    Raises:
        InputError: A number is out of its range, or two of them do not go together.
    """
    if not 0 < delta < 1:
        raise InputError(f"Delta must be above 0 and below 1, not {delta!r}.")
    if not 1 <= expected_batch <= examples:
        raise InputError(
            f"An expected batch of {expected_batch} does not fit {examples} training examples; it "
            "must be at least 1 and at most their number."
        )
    if clip_norm is not None and not 0 < clip_norm < math.inf:
        raise InputError(f"The clipping norm must be a finite number above 0, not {clip_norm!r}.")
    if clip_norm is None and noise_multiplier:
        raise InputError(
            "Updates without clipping cannot have a noise multiplier: give the clipping norm, or "
            "record the updates with noise multiplier 0."
        )
