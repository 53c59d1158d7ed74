"""Accounted searches for tests, and records of them."""

from __future__ import annotations

from typing import Any

from stand_in import guarantee_with

from tfdpzoo.privacy.accesses import Tuning
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.privacy.search import Search, account_search

LAWS = (
    RepetitionLaw("logarithmic", 10.0),
    RepetitionLaw("geometric", 10.0),
    RepetitionLaw("truncated negative binomial", 10.0, 0.5),
    RepetitionLaw("poisson", 10.0),
)
"""One of each name."""


def random_search(**changes: Any) -> Search:
    """Of trials like the stand-in's run, with a held-out part of 200 examples."""
    fields: dict[str, Any] = {
        "mode": "random",
        "law": LAWS[0],
        "trials": None,
        "trial": Segment(1.1, 0.1, 20),
        "updates": None,
        "bound": "exact",
        "held_out_examples": 200,
        "score_noise_multiplier": 8.0,
        "released": "the best trial",
        "delta": 1e-4,
    }
    return account_search(**fields | changes)


def adaptive_search(**changes: Any) -> Search:
    """Five such trials, one of which may end early."""
    fields = {"mode": "adaptive", "law": None, "trials": 5, "updates": 90}
    return random_search(**fields | changes)


def record_of(search: Search, **changes: Any) -> PrivacyGuarantee:
    """The record of a trial of the search."""
    arguments = {"tuning": Tuning.accounted(search), "target_epsilon": 20.0}
    return guarantee_with(**arguments | changes)
