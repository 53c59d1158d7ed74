"""Everything that is computed from the executed updates: epsilons, curves, the event.

A privacy record is made from these numbers, and a record that is verified must give them again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

import dp_accounting
from dp_accounting import pld

from tfdpzoo.privacy import accounting
from tfdpzoo.privacy.ledger import Segment, composed_event
from tfdpzoo.privacy.record import (
    ComposedEvent,
    CurvePoint,
    GaussianEvent,
    PoissonSampledEvent,
    RenyiCurve,
    Result,
    SelfComposedEvent,
)

CURVE_DELTAS = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9)

POISSON = (
    "Poisson: at every update each example is drawn independently with the sampling rate, and "
    "which examples were drawn stays secret"
)
NO_AMPLIFICATION = (
    "no amplification by sampling: every example is used once an epoch, in any order; this is what "
    "shuffled batches could claim, and is stated for comparison"
)


@dataclass(frozen=True)
class Accounts:
    """What the accountants say about a sequence of segments.

    The first of `results` is the headline: PLD with Poisson sampling.
    """

    results: tuple[Result, ...]
    curve: tuple[CurvePoint, ...]
    renyi: RenyiCurve
    event: ComposedEvent


def account(
    segments: Sequence[Segment],
    delta: float,
    discretization_interval: float = accounting.PLD_DISCRETIZATION_INTERVAL,
) -> Accounts:
    """Computes every epsilon of a record.

    Args:
        segments: The executed updates; none cost nothing.
        delta: The delta of the statement, above 0 and below 1.
        discretization_interval: Width of PLD's grid of privacy losses, above 0. A record that is
            verified is recomputed with its own.

    Returns:
        The rows (PLD and RDP with Poisson sampling, PLD without amplification), epsilon at
        `CURVE_DELTAS` and at `delta`, the Renyi curve, and the event.
    """
    event = composed_event(segments)
    interval = discretization_interval
    by_pld = pld_accountant(event, interval)
    orders, values = accounting.renyi_curve(event)
    unamplified = pld_accountant(_unamplified_event(segments), interval)
    results = (
        _row("PLD", POISSON, True, interval, by_pld.get_epsilon(delta), delta),
        _row("RDP", POISSON, True, None, accounting.epsilon_by_rdp(event, delta), delta),
        _row("PLD", NO_AMPLIFICATION, False, interval, unamplified.get_epsilon(delta), delta),
    )
    deltas = sorted({*CURVE_DELTAS, delta}, reverse=True)
    return Accounts(
        results=results,
        curve=tuple(CurvePoint(each, float(by_pld.get_epsilon(each))) for each in deltas),
        renyi=RenyiCurve(orders=tuple(map(float, orders)), values=tuple(map(float, values))),
        event=describe_event(segments),
    )


def noise_standard_deviation(
    noise_multiplier: float | None, clip_norm: float | None
) -> float | None:
    """Returns sigma * C, the noise on the sum of clipped gradients; None where one is missing."""
    if noise_multiplier is None or clip_norm is None:
        return None
    return noise_multiplier * clip_norm


def pld_accountant(
    event: dp_accounting.DpEvent, discretization_interval: float
) -> dp_accounting.PrivacyAccountant:
    """Returns the PLD accountant that has seen `event`."""
    accountant = pld.PLDAccountant(accounting.NEIGHBORING_RELATION, discretization_interval)
    return accountant.compose(event)


def describe_event(segments: Sequence[Segment]) -> ComposedEvent:
    """Returns the record's form of the event of `segments`."""
    return ComposedEvent(
        tuple(
            SelfComposedEvent(
                segment.updates,
                PoissonSampledEvent(segment.sampling_rate, GaussianEvent(segment.noise_multiplier)),
            )
            for segment in segments
        )
    )


def _row(
    accountant: str,
    assumption: str,
    holds: bool,
    interval: float | None,
    epsilon: float,
    delta: float,
) -> Result:
    return Result(
        accountant=accountant,
        accountant_version=f"dp-accounting {metadata.version('dp-accounting')}",
        neighboring_relation=accounting.NEIGHBORING_RELATION.name,
        sampling_assumption=assumption,
        assumption_holds=holds,
        discretization_interval=interval,
        epsilon=float(epsilon),
        delta=delta,
    )


def _unamplified_event(segments: Sequence[Segment]) -> dp_accounting.DpEvent:
    return dp_accounting.ComposedDpEvent(
        [
            dp_accounting.SelfComposedDpEvent(
                dp_accounting.GaussianDpEvent(segment.noise_multiplier), _passes(segment)
            )
            for segment in segments
        ]
    )


def _passes(segment: Segment) -> int:
    """The epochs of a segment, rounded up; 30 * (1 + rounding error) is 30 and not 31."""
    return math.ceil(segment.updates * segment.sampling_rate * (1 - 1e-12))
