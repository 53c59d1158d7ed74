"""Everything that is computed from the executed updates and the search that chose them.

A privacy record is made from these numbers, and a record that is verified must give them again.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

import dp_accounting

from tfdpzoo.privacy import accounting
from tfdpzoo.privacy.ledger import Segment, composed_event
from tfdpzoo.privacy.record import (
    ComposedEvent,
    Covers,
    CurvePoint,
    GaussianEvent,
    PoissonSampledEvent,
    RenyiCurve,
    Result,
    SelfComposedEvent,
)
from tfdpzoo.privacy.search import EventAccountant, Search, largest_renyi_curve, passes_of

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
    """What the accountants say about a sequence of segments and the search that chose them.

    The first of `results` is the headline.
    """

    results: tuple[Result, ...]
    curve: tuple[CurvePoint, ...]
    renyi: RenyiCurve
    event: ComposedEvent


def account(
    segments: Sequence[Segment],
    delta: float,
    discretization_interval: float = accounting.PLD_DISCRETIZATION_INTERVAL,
    search: Search | None = None,
) -> Accounts:
    """Computes every epsilon of a record.

    Args:
        segments: The executed updates; none cost nothing.
        delta: The delta of the statement, above 0 and below 1.
        discretization_interval: Width of PLD's grid of privacy losses, above 0. A record that is
            verified is recomputed with its own.
        search: By which the run was chosen; None where only the run is accounted.

    Returns:
        The rows: of the search, where there is one, by the accountant of its claim, by RDP, and
        without amplification by sampling; then of the run by PLD and RDP with Poisson sampling, and
        by PLD without amplification. Then of whatever the first row covers epsilon at
        `CURVE_DELTAS` and at `delta`, and the Renyi curve; and the event of the run.
    """
    return _accounted(tuple(segments), delta, discretization_interval, search)


# Accounting takes half a second to seconds; a record that was stated is often read next.
@functools.lru_cache(maxsize=64)
def _accounted(
    segments: tuple[Segment, ...], delta: float, interval: float, search: Search | None
) -> Accounts:
    headline = headline_accountant(segments, interval, search)
    deltas = sorted({*CURVE_DELTAS, delta}, reverse=True)
    events = (composed_event(segments),) if search is None else search.events()
    orders, values = largest_renyi_curve(events)
    of_search = () if search is None else _rows_of_search(search, headline, delta, interval)
    return Accounts(
        results=(*of_search, *_rows_of_run(segments, delta, interval)),
        curve=tuple(CurvePoint(each, headline.epsilon(each)) for each in deltas),
        renyi=RenyiCurve(orders=tuple(map(float, orders)), values=tuple(map(float, values))),
        event=describe_event(segments),
    )


def headline_accountant(
    segments: Sequence[Segment], discretization_interval: float, search: Search | None
) -> EventAccountant:
    """Returns what the claim's accountant says of the search, or of the run where there is none."""
    if search is not None:
        return search.accountant(discretization_interval)
    return EventAccountant((composed_event(segments),), discretization_interval)


def noise_standard_deviation(
    noise_multiplier: float | None, clip_norm: float | None
) -> float | None:
    """Returns sigma * C, the noise on the sum of clipped gradients; None where one is missing."""
    if noise_multiplier is None or clip_norm is None:
        return None
    return noise_multiplier * clip_norm


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


def _rows_of_run(segments: Sequence[Segment], delta: float, interval: float) -> tuple[Result, ...]:
    event = composed_event(segments)
    by_pld, by_rdp = EventAccountant((event,), interval), EventAccountant((event,))
    unamplified = EventAccountant((_unamplified_event(segments),), interval)
    return (
        _row("this run", POISSON, True, by_pld, delta),
        _row("this run", POISSON, True, by_rdp, delta),
        _row("this run", NO_AMPLIFICATION, False, unamplified, delta),
    )


def _rows_of_search(
    search: Search, headline: EventAccountant, delta: float, interval: float
) -> tuple[Result, ...]:
    rows = [_row("the whole search", POISSON, True, headline, delta)]
    if search.by_pld:
        by_rdp = EventAccountant(search.events())
        rows.append(_row("the whole search", POISSON, True, by_rdp, delta))
    if search.bound == "exact":
        unamplified = EventAccountant(
            search.events_without_amplification(), interval if search.by_pld else None
        )
        rows.append(_row("the whole search", NO_AMPLIFICATION, False, unamplified, delta))
    return tuple(rows)


def _row(
    covers: Covers, assumption: str, holds: bool, accountant: EventAccountant, delta: float
) -> Result:
    return Result(
        covers=covers,
        accountant=accountant.name,
        accountant_version=f"dp-accounting {metadata.version('dp-accounting')}",
        neighboring_relation=accounting.NEIGHBORING_RELATION.name,
        sampling_assumption=assumption,
        assumption_holds=holds,
        discretization_interval=accountant.discretization_interval,
        epsilon=accountant.epsilon(delta),
        delta=delta,
    )


def _unamplified_event(segments: Sequence[Segment]) -> dp_accounting.DpEvent:
    return dp_accounting.ComposedDpEvent(
        [
            dp_accounting.SelfComposedDpEvent(
                dp_accounting.GaussianDpEvent(segment.noise_multiplier),
                passes_of(segment.updates, segment.sampling_rate),
            )
            for segment in segments
        ]
    )
