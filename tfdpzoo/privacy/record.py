"""The parts of a privacy record: what a guarantee has to say to be believed and recomputed.

The fields follow what NIST SP 800-226 (2025) and Ponomareva et al. 2023, section 5.3 ("How to
DP-fy ML", arXiv 2303.00654) ask a report to state: the setting, the unit of privacy, the
neighbouring relation, the mechanism, the sampling, every assumption of the accounting, and which
accesses to the data are covered and which are not.
"""

from __future__ import annotations

from dataclasses import dataclass

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.privacy.strict_json import Epsilon


@dataclass(frozen=True)
class Status:
    """Whether the guarantee holds, and every reason why it might not."""

    valid: bool
    weaknesses: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.valid == bool(self.weaknesses):
            raise InputError(
                "A privacy record is valid exactly if it lists no weaknesses: "
                f"status.valid is {str(self.valid).lower()} with {len(self.weaknesses)} listed."
            )


@dataclass(frozen=True)
class Claim:
    """The headline: the PLD epsilon of the executed updates at `delta`."""

    epsilon: Epsilon
    delta: float
    target_epsilon: Epsilon | None
    delta_rule: str

    def __post_init__(self) -> None:
        if not 0 < self.delta < 1:
            raise InputError(f"Delta must be above 0 and below 1, not {self.delta!r}.")


@dataclass(frozen=True)
class Setting:
    """Who is trusted with what, and what is released."""

    model: str = "central differential privacy"
    trusted_party: str = (
        "whoever trains: that party sees the examples, and keeps the sampling, the gradients, the "
        "intermediate weights and the random key secret"
    )
    released_output: str = "the final weights"
    not_covered: str = (
        "intermediate checkpoints, gradients and metrics on training examples; whoever sees those "
        "is not covered by this epsilon's statement"
    )


@dataclass(frozen=True)
class Unit:
    """What one unit of the protected data is."""

    unit: str
    user_level_claim: str
    deduplication: str
    augmentation_multiplicity: int


@dataclass(frozen=True)
class Relation:
    """Which two data sets count as neighbours."""

    name: str
    meaning: str
    examples: str


@dataclass(frozen=True)
class Mechanism:
    """The private step, as far as the guarantee depends on it.

    `noise_multiplier` is the smallest of the executed segments. `clip_norm` is None for a run that
    did not clip, `noise_multiplier` is None where no update was executed.
    """

    name: str
    engine: str
    clip_norm: float | None
    clipping: str
    noise_multiplier: float | None
    noise_standard_deviation: float | None
    noise_added: str
    compute_precision: str
    release_precision: str
    non_finite_gradients: str
    noise_distribution: str
    random_numbers: str
    seed_policy: str


@dataclass(frozen=True)
class Sampling:
    """How the examples of an update were chosen."""

    scheme: str
    sampling_rate: float
    expected_batch: int
    examples: int
    replicas: int


@dataclass(frozen=True)
class Updates:
    """The updates that were planned and those that the ledger counted."""

    planned: int
    executed: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Result:
    """One epsilon and everything that it rests on."""

    accountant: str
    accountant_version: str
    neighboring_relation: str
    sampling_assumption: str
    assumption_holds: bool
    discretization_interval: float | None
    epsilon: Epsilon
    delta: float


@dataclass(frozen=True)
class CurvePoint:
    """A point of epsilon as a function of delta."""

    delta: float
    epsilon: Epsilon


@dataclass(frozen=True)
class RenyiCurve:
    """Renyi differential privacy of the whole run, which composes by addition order by order."""

    orders: tuple[float, ...]
    values: tuple[Epsilon, ...]


@dataclass(frozen=True)
class GaussianEvent:
    """dp-accounting's GaussianDpEvent."""

    noise_multiplier: float
    event: str = "GaussianDpEvent"


@dataclass(frozen=True)
class PoissonSampledEvent:
    """dp-accounting's PoissonSampledDpEvent."""

    sampling_probability: float
    sampled: GaussianEvent
    event: str = "PoissonSampledDpEvent"


@dataclass(frozen=True)
class SelfComposedEvent:
    """dp-accounting's SelfComposedDpEvent."""

    count: int
    repeated: PoissonSampledEvent
    event: str = "SelfComposedDpEvent"


@dataclass(frozen=True)
class ComposedEvent:
    """dp-accounting's ComposedDpEvent: the whole run for any accountant."""

    events: tuple[SelfComposedEvent, ...]
    event: str = "ComposedDpEvent"


@dataclass(frozen=True)
class Tuning:
    """What is known of accesses to the same examples other than this run."""

    accounted: bool = False
    statement: str = (
        "not accounted: choosing hyper-parameters, the architecture or the best of several runs "
        "with these examples costs privacy that is not in this epsilon"
    )
    other_accesses: str = (
        "not accounted: earlier runs, exploration, statistics (also those of a normalisation) and "
        "early stopping that used these examples, if there were any"
    )


@dataclass(frozen=True)
class PreTraining:
    """What the weights were before the first private update."""

    data: str = (
        "none declared: the weights before the first update are taken not to depend on these "
        "examples"
    )


@dataclass(frozen=True)
class Metric:
    """One number that an evaluation gave."""

    name: str
    value: float


@dataclass(frozen=True)
class EvaluationMetrics:
    """How good the released weights are."""

    data: str
    metrics: tuple[Metric, ...]
