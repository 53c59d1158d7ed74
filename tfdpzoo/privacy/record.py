"""The parts of a privacy record: what a guarantee has to say to be believed and recomputed.

The fields follow what NIST SP 800-226 (2025) and Ponomareva et al. 2023, section 5.3 ("How to
DP-fy ML", arXiv 2303.00654) ask a report to state: the setting, the unit of privacy, the
neighbouring relation, the mechanism, the sampling, every assumption of the accounting, and which
accesses to the data are covered and which are not.

The docstrings are the descriptions in the published JSON Schema, see `privacy/json_schema.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.privacy.strict_json import Epsilon

Covers = Literal["this run", "the whole search"]


@dataclass(frozen=True)
class Status:
    """Whether the guarantee holds, and every reason why it might not.

    Attributes:
        valid: True exactly if no weakness is listed.
        weaknesses: The reasons, each a sentence without its full stop.
    """

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
    """The headline: what the executed updates cost, or the whole search they were chosen by.

    Attributes:
        epsilon: With Poisson sampling: of the executed updates, by the PLD accountant; or, where
            the tuning is accounted, of the whole search by the accountant of the first result.
        delta: Of the statement, above 0 and below 1.
        target_epsilon: What was asked for, of the same; null without a target.
        delta_rule: How small delta has to be.
    """

    epsilon: Epsilon
    delta: float
    target_epsilon: Epsilon | None
    delta_rule: str

    def __post_init__(self) -> None:
        if not 0 < self.delta < 1:
            raise InputError(f"Delta must be above 0 and below 1, not {self.delta!r}.")


@dataclass(frozen=True)
class Setting:
    """Who is trusted with what, what is released, and whom the guarantee protects from.

    Attributes:
        model: Where the noise is added.
        trusted_party: Who sees the private examples.
        threat_model: What the adversary may know and do.
        released_output: What the guarantee is about.
        not_covered: What must not be released with it.
    """

    model: str = "central differential privacy"
    trusted_party: str = (
        "whoever trains: that party sees the examples, and keeps the sampling, the gradients, the "
        "intermediate weights and the random key secret"
    )
    threat_model: str = (
        "an adversary with any computing power who sees the released weights and knows the code, "
        "every setting and all examples but the one in question; not one who sees the random key, "
        "the sampling, the process while it trains or the run's folder"
    )
    released_output: str = "the final weights"
    not_covered: str = (
        "intermediate checkpoints, gradients and metrics on training examples; whoever sees those "
        "is not covered by this epsilon's statement"
    )


@dataclass(frozen=True)
class Unit:
    """What one unit of the protected data is.

    Attributes:
        unit: What is added or removed between neighbouring data sets.
        examples_per_person: The largest number of examples of one person; null where nobody says,
            and then nothing is claimed for persons.
        user_level_claim: What is claimed for persons.
        deduplication: Whether examples that occur twice were sought.
        augmentation_multiplicity: How many augmented views of an example are averaged before
            clipping.
    """

    unit: str
    examples_per_person: int | None
    user_level_claim: str
    deduplication: str
    augmentation_multiplicity: int


@dataclass(frozen=True)
class Relation:
    """Which two data sets count as neighbours.

    Attributes:
        name: As dp-accounting names it.
        meaning: In words.
        examples_public: Whether the number of training examples counts as public.
        examples: What follows for the number of examples.
    """

    name: str
    meaning: str
    examples_public: bool
    examples: str


@dataclass(frozen=True)
class Mechanism:
    """The private step, as far as the guarantee depends on it.

    Attributes:
        name: Of the mechanism.
        engine: The part of tfdpzoo that computed the gradients.
        clip_norm: C, the largest norm of one example's gradient; null for a run that did not clip.
        clipping: Which norm, over what.
        noise_multiplier: Sigma, the smallest of the executed segments; null where no update was
            executed.
        noise_standard_deviation: Sigma times C, of the noise on the sum of clipped gradients.
        noise_added: Where in the computation.
        compute_precision: Of the forward and backward pass.
        release_precision: Of clipping, sums and noise.
        non_finite_gradients: What becomes of NaN and infinities.
        noise_distribution: Which, continuous or discrete.
        random_numbers: The generator.
        seed_policy: Where its seed comes from and where it goes.
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
    """How the examples of an update were chosen.

    Attributes:
        scheme: Poisson: each example is drawn independently of all others.
        sampling_rate: q, the probability with which an example takes part in an update.
        expected_batch: The mean size of a sample, by which sums are divided.
        physical_batch_cap: The size at which a sample is cut; null where none ever is.
        examples: N, the number of training examples.
        replicas: How many devices shared each update; one sample and one noise for all of them.
    """

    scheme: Literal["poisson"]
    sampling_rate: float
    expected_batch: int
    physical_batch_cap: int | None
    examples: int
    replicas: int


@dataclass(frozen=True)
class Updates:
    """The updates that were planned and those that the ledger counted.

    Attributes:
        planned: How many.
        executed: How many, by the ledger, also those whose result was lost.
        segments: The executed updates in order.
        resumptions: What is known of interruptions.
    """

    planned: int
    executed: int
    segments: tuple[Segment, ...]
    resumptions: str = (
        "not recorded: the ledger counts the updates of all processes of a run together. After an "
        "interruption updates are executed again with their own noise, or with new noise, and then "
        "count again. Digests of the checkpoints would tell of weights that are not released"
    )


@dataclass(frozen=True)
class Result:
    """One epsilon and everything that it rests on.

    Attributes:
        covers: The run whose weights these are, or the search that it was chosen by.
        accountant: PLD or RDP.
        accountant_version: The software.
        neighboring_relation: As dp-accounting names it.
        sampling_assumption: What has to hold of the sampling.
        assumption_holds: Whether it does for what the epsilon covers.
        discretization_interval: Of PLD's grid of privacy losses; null for RDP.
        epsilon: The result.
        delta: At which it holds.
    """

    covers: Covers
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
    """A point of epsilon as a function of delta.

    Attributes:
        delta: Above 0 and below 1.
        epsilon: Of what the claim covers, by its accountant.
    """

    delta: float
    epsilon: Epsilon


@dataclass(frozen=True)
class RenyiCurve:
    """Renyi differential privacy of what the claim covers: it composes by addition at each order.

    Attributes:
        orders: The orders, each above 1.
        values: The Renyi divergence at each order.
        use: How to compose with it, and why there is no single number of zCDP.
    """

    orders: tuple[float, ...]
    values: tuple[Epsilon, ...]
    use: str = (
        "add the values of other runs on the same examples order by order, then convert to epsilon "
        "and delta; no rho of zCDP is stated, because with Poisson sampling none holds at all "
        "orders but that without amplification by sampling"
    )


@dataclass(frozen=True)
class GaussianEvent:
    """dp-accounting's GaussianDpEvent.

    Attributes:
        noise_multiplier: Sigma.
        event: The class.
    """

    noise_multiplier: float
    event: Literal["GaussianDpEvent"] = "GaussianDpEvent"


@dataclass(frozen=True)
class PoissonSampledEvent:
    """dp-accounting's PoissonSampledDpEvent.

    Attributes:
        sampling_probability: q.
        sampled: What happens to the sample.
        event: The class.
    """

    sampling_probability: float
    sampled: GaussianEvent
    event: Literal["PoissonSampledDpEvent"] = "PoissonSampledDpEvent"


@dataclass(frozen=True)
class SelfComposedEvent:
    """dp-accounting's SelfComposedDpEvent.

    Attributes:
        count: How often.
        repeated: What happens so often.
        event: The class.
    """

    count: int
    repeated: PoissonSampledEvent
    event: Literal["SelfComposedDpEvent"] = "SelfComposedDpEvent"


@dataclass(frozen=True)
class ComposedEvent:
    """dp-accounting's ComposedDpEvent: the run whose weights these are, for any accountant.

    Where the tuning is accounted it is less than the claim covers: compose with the Renyi curve.

    Attributes:
        events: One for each segment.
        event: The class.
    """

    events: tuple[SelfComposedEvent, ...]
    event: Literal["ComposedDpEvent"] = "ComposedDpEvent"


@dataclass(frozen=True)
class Metric:
    """One number that an evaluation gave.

    Attributes:
        name: Of the metric.
        value: A finite number.
    """

    name: str
    value: float


@dataclass(frozen=True)
class EvaluationMetrics:
    """How good the released weights are.

    Attributes:
        data: What was measured on; never training examples, whose metrics are not private.
        metrics: The numbers.
    """

    data: str
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class EmpiricalAudit:
    """What an attack on the training could prove: a lower bound of epsilon.

    Attributes:
        method: The attack.
        canaries: How many examples were put in or left out for it.
        epsilon_lower_bound: No smaller epsilon is possible, with the given confidence.
        confidence: Above 0 and below 1.
    """

    method: str
    canaries: int
    epsilon_lower_bound: float
    confidence: float
