"""How a record describes what every private training of tfdpzoo has in common."""

from __future__ import annotations

from tfdpzoo.privacy.record import Mechanism, Relation, Unit
from tfdpzoo.privacy.results import noise_standard_deviation

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
    clip_norm: float | None, noise_multiplier: float | None, engine: str, precision: str
) -> Mechanism:
    """Returns the record's form of the private step.

    Args:
        clip_norm: C; None for a run without clipping.
        noise_multiplier: The smallest of the executed segments; None without any.
        engine: The name of the gradient engine.
        precision: Of the forward and backward pass.
    """
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
            "the end with a probability of at most a thousandth of delta"
        ),
        random_numbers=(
            "Philox counter generators, seeded with 128 bits that are derived from a 256-bit "
            "secret of the operating system's entropy; Philox is statistically sound but not a "
            "cryptographic generator"
        ),
        seed_policy="a new secret key for every run, never printed, recorded or exported",
    )
