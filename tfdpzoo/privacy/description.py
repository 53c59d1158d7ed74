"""How a record describes what every private training of tfdpzoo has in common."""

from __future__ import annotations

import dataclasses

from tfdpzoo.privacy.record import Mechanism, Relation, Setting, Unit
from tfdpzoo.privacy.results import noise_standard_deviation
from tfdpzoo.privacy.search import Search

RELATIONS = {
    "ADD_OR_REMOVE_ONE": Relation(
        name="ADD_OR_REMOVE_ONE",
        meaning=(
            "two data sets are neighbours if one is the other with a single training example added "
            "or removed"
        ),
        examples_public=True,
        examples=(
            "N is treated as public: the sampling rate, the number of updates and the rule for "
            "delta are computed from it and count as the same for both neighbours"
        ),
    )
}
"""The neighbouring relations that are accounted, by dp-accounting's names."""


def describe_relation(name: str, search: Search | None) -> Relation:
    """Returns which data sets are neighbours.

    Args:
        name: One of `RELATIONS`.
        search: By which the run was chosen, if its cost is in epsilon.
    """
    relation = RELATIONS[name]
    if search is None:
        return relation
    return dataclasses.replace(
        relation,
        meaning=(
            "two data sets are neighbours if one is the other with a single example added to or "
            "removed from those for training, or added to or removed from those held out for scores"
        ),
        examples=(
            "N, and the number of held-out examples, are treated as public: the sampling rate, the "
            "number of updates and the rule for delta are computed from them and count as the same "
            "for both neighbours"
        ),
    )


def describe_setting(search: Search | None) -> Setting:
    """Returns who is trusted, who is not, what is released and what must not be.

    Args:
        search: By which the run was chosen, if its cost is in epsilon.
    """
    if search is None:
        return Setting()
    released = (
        "the final weights, settings and noised scores of all trials"
        if search.released == "all trials"
        else "the final weights, settings and noised score of the best trial"
    )
    if search.law is None:
        return Setting(
            threat_model=_threat("of all trials", "the sampling"),
            released_output=released,
            not_covered=(
                "intermediate checkpoints, gradients and metrics on training examples, and anything"
                " that was computed on held-out examples but the noised scores; whoever sees those "
                "is not covered by this epsilon's statement"
            ),
        )
    return Setting(
        trusted_party=(
            "whoever searches: that party sees the examples, and keeps the sampling, the gradients,"
            " the intermediate weights, the random keys, the number of trials and all trials but "
            "the best secret"
        ),
        threat_model=_threat(
            "that the trials could have had", "the sampling, the number of trials, the other trials"
        ),
        released_output=released,
        not_covered=(
            "the number of trials, which of them was the best, the scores, settings and weights of "
            "all others, and how long the search took; intermediate checkpoints, gradients and "
            "metrics on training examples, and anything that was computed on held-out examples but "
            "the noised score; whoever sees those is not covered by this epsilon's statement"
        ),
    )


def _threat(settings: str, hidden: str) -> str:
    return (
        "an adversary with any computing power who sees what is released and knows the code, every "
        f"setting {settings} and all examples but the one in question; not one who sees the random "
        f"keys, {hidden}, the process while it trains or the folders of the runs"
    )


def describe_unit(augmentation_multiplicity: int) -> Unit:
    """Returns the unit of privacy of every model that tfdpzoo trains: one example."""
    return Unit(
        unit="example",
        examples_per_person=None,
        user_level_claim=(
            "none: examples of one person are not grouped; k examples have the weaker guarantee of "
            "a group of k"
        ),
        deduplication="not checked: an example that occurs twice counts as two",
        augmentation_multiplicity=augmentation_multiplicity,
    )


def describe_mechanism(
    clip_norm: float | None,
    noise_multiplier: float | None,
    engine: str,
    precision: str,
    search: Search | None,
) -> Mechanism:
    """Returns the record's form of the private step.

    Args:
        clip_norm: C; None for a run without clipping.
        noise_multiplier: The smallest of the executed segments; None without any.
        engine: The name of the gradient engine.
        precision: Of the forward and backward pass.
        search: By which the run was chosen, if its cost is in epsilon.
    """
    of_what = "of delta" if search is None else "of delta over all trials together"
    return Mechanism(
        name=(
            "none: plain training without clipping and noise"
            if clip_norm is None
            else "DP-SGD: Gaussian noise on the sum of clipped per-example gradients"
        ),
        engine=engine,
        clip_norm=clip_norm,
        clipping=(
            "none"
            if clip_norm is None
            else "Euclidean norm of one example's gradient over all trainable weights together"
        ),
        noise_multiplier=noise_multiplier,
        noise_standard_deviation=noise_standard_deviation(noise_multiplier, clip_norm),
        noise_added=(
            "once an update, to the sum over all examples and replicas, before the division by the "
            "expected batch"
        ),
        compute_precision=precision,
        release_precision="float32 for clipping, sums and noise",
        non_finite_gradients="an example with NaN or infinite gradients contributes zero",
        noise_distribution=(
            "Gaussian in float32, meant as continuous; no defence against attacks on the floating "
            "point representation (Mironov 2012). It ends so far out that one example comes beyond "
            f"the end with a probability of at most a thousandth {of_what}"
        ),
        random_numbers=(
            "Philox counter generators, seeded with 128 bits that are derived from a 256-bit "
            "secret of the operating system's entropy; Philox is statistically sound but not a "
            "cryptographic generator"
        ),
        seed_policy="a new secret key for every run, never printed, recorded or exported",
    )
