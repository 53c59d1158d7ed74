"""The privacy guarantee of one trained model: the record, its sentence, its JSON.

Formal guarantee:
    Let M be the training run as a function from a data set to the released weights (the final
    weights, or their running average, which is a function of the released noisy gradients alone).
    For all data sets D and D' that differ by adding or removing one training example, and all sets
    S of weights,

        P[M(D) in S] <= exp(epsilon) * P[M(D') in S] + delta.

    `epsilon` is an upper bound that the PLD accountant of dp-accounting derives from the updates
    that were executed. It rests on these assumptions:

    - at every update each example was drawn independently with the recorded sampling rate, and the
      draws stayed secret (Poisson sampling);
    - the sum of the drawn examples' gradients, each clipped to the recorded Euclidean norm C, was
      released only with Gaussian noise of standard deviation sigma * C in every coordinate;
    - nothing else of the examples reached the weights. The number N of examples, the expected batch
      and the number of updates are treated as public: they are the same for D and D';
    - the generator's numbers behave as random and continuous. Noise in floating point is not
      exactly Gaussian (Mironov 2012), and Philox is not a cryptographic generator.

    Where the tuning is accounted, M is the whole search that the run was chosen by, with the formal
    guarantee in `tfdpzoo.privacy.search`, and `epsilon` is that of the search.

    The unit is one example. A person with k examples has the weaker guarantee of a group of k.
    Accesses to the data outside of that (other tuning, exploration, earlier runs) are not in
    epsilon.
    Test metrics are measured on examples that the guarantee does not speak of.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.privacy import statement, strict_json
from tfdpzoo.privacy.accesses import OTHER_ACCESSES, OtherAccess, PreTraining, Tuning
from tfdpzoo.privacy.accounting import PLD_DISCRETIZATION_INTERVAL
from tfdpzoo.privacy.description import (
    RELATIONS,
    describe_mechanism,
    describe_relation,
    describe_setting,
    describe_unit,
)
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.privacy.provenance import Provenance
from tfdpzoo.privacy.record import (
    Claim,
    ComposedEvent,
    CurvePoint,
    EmpiricalAudit,
    EvaluationMetrics,
    Mechanism,
    Metric,
    Relation,
    RenyiCurve,
    Result,
    Sampling,
    Setting,
    Status,
    Unit,
    Updates,
)
from tfdpzoo.privacy.results import account, headline_accountant
from tfdpzoo.privacy.weaknesses import (
    evident_weaknesses,
    largest_delta,
    require_accounted,
    require_consistent,
)

SCHEMA_VERSION = 1

_TEST_METRICS = (
    "measured on test examples, which were not used for training and which the guarantee does not "
    "cover; metrics on training examples are never recorded"
)


@dataclass(frozen=True)
class PrivacyGuarantee:
    """What a training run guarantees, with everything needed to recompute it.

    Made by `PrivacyGuarantee.state` from the executed updates, or read by `from_json`. See this
    module's text for the formal guarantee.

    Attributes:
        schema_version: Of the record's form and of its sentence.
        status: Whether the guarantee holds.
        claim: Epsilon and delta.
        setting: Who is trusted, who is not, and what is released.
        unit: What is protected.
        relation: Which data sets are neighbours.
        mechanism: The private step.
        sampling: Which examples it takes.
        updates: How often it was executed.
        results: Epsilon by every accountant; the first is the headline, others are without
            amplification by sampling, or of this run alone where the tuning is accounted.
        curve: Epsilon as a function of delta.
        renyi: Renyi differential privacy, to compose with.
        event: The executed updates of this run as dp-accounting's event. Where the tuning is
            accounted it is not what the claim is of: compose with `renyi` then.
        tuning: How the settings were chosen.
        other_accesses: What else may have been done with the examples.
        pre_training: What the weights were before.
        evaluation: How good the weights are; null where that is not recorded.
        audit: What an attack on the training could prove; null where none was made.
        provenance: Software, hardware, date and code.

    Example:
        >>> guarantee = PrivacyGuarantee.state(
        ...     segments=[Segment(1.0, 0.02, 100)], delta=1e-5, clip_norm=1.0, examples=50_000,
        ...     expected_batch=1_000, planned_updates=100, target_epsilon=2.0)
        >>> print(guarantee.sentence()[:82])
        The final weights of this model are differentially private with epsilon = 1.43 (ro
        >>> PrivacyGuarantee.from_json(guarantee.to_json()) == guarantee
        True
    """

    schema_version: int
    status: Status
    claim: Claim
    setting: Setting
    unit: Unit
    relation: Relation
    mechanism: Mechanism
    sampling: Sampling
    updates: Updates
    results: tuple[Result, ...]
    curve: tuple[CurvePoint, ...]
    renyi: RenyiCurve
    event: ComposedEvent
    tuning: Tuning
    other_accesses: tuple[OtherAccess, ...]
    pre_training: PreTraining
    evaluation: EvaluationMetrics | None
    audit: EmpiricalAudit | None
    provenance: Provenance

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise InputError(
                f"The privacy record has schema version {self.schema_version}; this tfdpzoo reads "
                f"version {SCHEMA_VERSION}. Use the tfdpzoo that wrote it."
            )
        if not self.discretization_interval > 0:
            raise InputError(
                "One of a privacy record's results must be by the PLD accountant, with the width "
                "of its grid of privacy losses."
            )
        if self.relation.name not in RELATIONS:
            raise unknown_name("neighbouring relation", self.relation.name, RELATIONS)
        if self.sampling.examples < 1:
            raise InputError("The privacy record must be of at least one training example.")

    @classmethod
    def state(
        cls,
        *,
        segments: Iterable[Segment],
        delta: float,
        clip_norm: float | None,
        examples: int,
        expected_batch: int,
        planned_updates: int,
        target_epsilon: float | None,
        engine: str = "fast",
        precision: str = "float32",
        neighboring_relation: str = "ADD_OR_REMOVE_ONE",
        weaknesses: Iterable[str] = (),
        replicas: int = 1,
        augmentation_multiplicity: int = 1,
        metrics: Mapping[str, float] | None = None,
        tuning: Tuning | None = None,
        pre_training: PreTraining | None = None,
        audit: EmpiricalAudit | None = None,
        provenance: Provenance | None = None,
        discretization_interval: float = PLD_DISCRETIZATION_INTERVAL,
    ) -> PrivacyGuarantee:
        """States the guarantee of executed updates; takes a second or two of accounting.

        Args:
            segments: The executed updates, from the ledger; none for an untrained model.
            delta: Above 0 and below 1; below 1 over the number of examples, training and held-out
                ones together, or the guarantee is invalid.
            clip_norm: C, above 0; None for a run without clipping, which has no guarantee.
            examples: N, the number of training examples.
            expected_batch: Mean size of a Poisson sample.
            planned_updates: How many updates were planned.
            target_epsilon: What was asked for, of the whole search where the tuning is accounted;
                None without a target.
            engine: The name of the gradient engine.
            precision: The precision of the forward and backward pass. Clipping, sums and noise are
                always float32.
            neighboring_relation: `"ADD_OR_REMOVE_ONE"`; no other is accounted yet.
            weaknesses: Reasons why the guarantee does not hold. A spent epsilon above the target,
                zero noise, missing clipping, a delta of 1 / N or more and updates beyond the trial
                of an accounted search are found here and need not be given.
            replicas: How many devices shared each update.
            augmentation_multiplicity: Augmented copies of one example whose gradients are averaged
                before clipping.
            metrics: Results on test examples, by name.
            tuning: What is known of tuning; by default that it is not accounted. With
                `Tuning.accounted` the claim is of the whole search, and of its best trial are the
                segments.
            pre_training: What the weights were at the start; by default nothing is declared.
            audit: What an attack on the training proved, if there was one.
            provenance: The circumstances; by default those of this process.
            discretization_interval: Width of PLD's grid of privacy losses.

        Raises:
            InputError: A value is out of its range, the relation is not known, or the search has
                other epsilons than follow from it at this delta.
        """
        if neighboring_relation not in RELATIONS:
            raise unknown_name("neighbouring relation", neighboring_relation, RELATIONS)
        segments = tuple(segments)
        noise_multiplier = min((each.noise_multiplier for each in segments), default=None)
        require_consistent(delta, clip_norm, noise_multiplier, examples, expected_batch)
        tuning = tuning or Tuning.unknown()
        search = tuning.search
        if search is not None:
            require_accounted(search, delta, discretization_interval)
        accounts = account(segments, delta, discretization_interval, search)
        claim = Claim(
            epsilon=accounts.results[0].epsilon,
            delta=delta,
            target_epsilon=target_epsilon,
            delta_rule=f"delta must be below {largest_delta(examples, search, ', here ')}",
        )
        evident = evident_weaknesses(claim, clip_norm, examples, segments, search)
        found = _unique([*map(_without_stop, weaknesses), *evident])
        return cls(
            schema_version=SCHEMA_VERSION,
            status=Status(valid=not found, weaknesses=found),
            claim=claim,
            setting=describe_setting(search),
            unit=describe_unit(augmentation_multiplicity),
            relation=describe_relation(neighboring_relation, search),
            mechanism=describe_mechanism(clip_norm, noise_multiplier, engine, precision, search),
            sampling=Sampling(
                scheme="poisson",
                sampling_rate=expected_batch / examples,
                expected_batch=expected_batch,
                physical_batch_cap=None,
                examples=examples,
                replicas=replicas,
            ),
            updates=Updates(planned_updates, sum(each.updates for each in segments), segments),
            results=accounts.results,
            curve=accounts.curve,
            renyi=accounts.renyi,
            event=accounts.event,
            tuning=tuning,
            other_accesses=OTHER_ACCESSES,
            pre_training=pre_training or PreTraining(),
            evaluation=None if metrics is None else _evaluation(metrics),
            audit=audit,
            provenance=provenance or Provenance.current(),
        )

    @property
    def epsilon(self) -> float:
        """The headline epsilon: of the executed updates, or of the search that chose them."""
        return self.claim.epsilon

    @property
    def delta(self) -> float:
        """The delta of the headline."""
        return self.claim.delta

    @property
    def valid(self) -> bool:
        """Whether no weakness is known."""
        return self.status.valid

    @property
    def weaknesses(self) -> tuple[str, ...]:
        """Every known reason why the guarantee does not hold."""
        return self.status.weaknesses

    def sentence(self) -> str:
        """The guarantee in words, epsilon rounded up; an invalid one says so first."""
        return statement.sentence(self)

    def recompute(self) -> float:
        """Computes the headline epsilon from the record's own segments and search."""
        return headline_accountant(
            self.updates.segments, self.discretization_interval, self.tuning.search
        ).epsilon(self.delta)

    def restated(self) -> PrivacyGuarantee:
        """Returns what `state` makes of this record's own fields; a true record is equal to it.

        Numbers may differ by rounding, and the accountant's version by what is installed. What no
        other field of the record tells is taken over: weaknesses, metrics, pre-training, audit,
        provenance, names of engine and precision.

        Raises:
            InputError: The fields do not fit each other.
        """
        search = self.tuning.search
        if search is not None:
            search = search.with_epsilons(self.delta, self.discretization_interval)
        evaluation, pre_training = self.evaluation, self.pre_training
        declared = (pre_training.dataset, pre_training.public) != (None, None)
        return self.state(
            segments=self.updates.segments,
            delta=self.delta,
            clip_norm=self.mechanism.clip_norm,
            examples=self.sampling.examples,
            expected_batch=self.sampling.expected_batch,
            planned_updates=self.updates.planned,
            target_epsilon=self.claim.target_epsilon,
            engine=self.mechanism.engine,
            precision=self.mechanism.compute_precision,
            neighboring_relation=self.relation.name,
            weaknesses=self.weaknesses,
            replicas=self.sampling.replicas,
            augmentation_multiplicity=self.unit.augmentation_multiplicity,
            metrics=None if evaluation is None else _metrics(evaluation),
            tuning=Tuning.of(self.tuning.kind, search),
            pre_training=pre_training if declared else None,
            audit=self.audit,
            provenance=dataclasses.replace(
                self.provenance, data_fingerprint=Provenance.data_fingerprint
            ),
            discretization_interval=self.discretization_interval,
        )

    @property
    def discretization_interval(self) -> float:
        """Width of PLD's grid of privacy losses, of the first result by the PLD accountant."""
        by_pld = (row for row in self.results if row.accountant == "PLD")
        first = next(by_pld, None)
        return 0.0 if first is None else first.discretization_interval or 0.0

    def with_metrics(self, metrics: Mapping[str, float]) -> PrivacyGuarantee:
        """Returns the record with the results of an evaluation on test examples."""
        return dataclasses.replace(self, evaluation=_evaluation(metrics))

    def with_weights(self, digest: str) -> PrivacyGuarantee:
        """Returns the record bound to released weights by their SHA-256 digest."""
        return dataclasses.replace(
            self, provenance=dataclasses.replace(self.provenance, weights_sha256=digest)
        )

    def to_fields(self) -> dict[str, Any]:
        """Returns the record as JSON objects: the sentence first, then the fields."""
        return {"sentence": self.sentence(), **strict_json.encode(self)}

    def to_json(self) -> str:
        """Returns the record as JSON, always in the same form; infinity is `"infinity"`."""
        return strict_json.to_text(self.to_fields())

    @classmethod
    def from_fields(cls, fields: Any) -> PrivacyGuarantee:
        """Builds a record from JSON objects. The sentence is checked to be there, not believed.

        Raises:
            InputError: A field is unknown, missing, of another type or out of its range.
        """
        if not isinstance(fields, Mapping) or not isinstance(fields.get("sentence"), str):
            raise InputError("The privacy record lacks the field sentence, a text.")
        return strict_json.decode(
            cls, {name: value for name, value in fields.items() if name != "sentence"}
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> PrivacyGuarantee:
        """Reads a record that `to_json` wrote. Reading checks the form; `verify` the truth.

        Raises:
            InputError: The text is not JSON, or a field is unknown, missing, of another type or out
                of its range.
        """
        return cls.from_fields(strict_json.from_text(text))


def _metrics(evaluation: EvaluationMetrics) -> dict[str, float]:
    return {row.name: row.value for row in evaluation.metrics}


def _evaluation(metrics: Mapping[str, float]) -> EvaluationMetrics:
    rows = tuple(Metric(name, float(metrics[name])) for name in sorted(metrics))
    broken = [row.name for row in rows if not math.isfinite(row.value)]
    if broken:
        raise InputError(f"The metric {broken[0]} is not a finite number and cannot be recorded.")
    return EvaluationMetrics(_TEST_METRICS, rows)


def _without_stop(reason: str) -> str:
    return reason.rstrip(". ")


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
