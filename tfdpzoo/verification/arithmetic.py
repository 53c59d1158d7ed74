"""The numbers of a record that follow from its executed updates, computed again."""

from __future__ import annotations

from typing import Any

from tfdpzoo.privacy import strict_json
from tfdpzoo.privacy.guarantee import PrivacyGuarantee, evident_weaknesses
from tfdpzoo.privacy.results import account, noise_standard_deviation
from tfdpzoo.verification.comparison import ANYTHING, differences

_TOLERANCE = 1e-6
"""Relative. Processors round differently in the Fourier transforms of PLD, which moves epsilon by a
few 1e-9."""

_SMALLEST_INTERVAL = 1e-5
"""Recomputing on a finer grid would take gigabytes; tfdpzoo never writes one."""

_VERSIONLESS = {"accountant_version": ANYTHING}


def check_arithmetic(guarantee: PrivacyGuarantee) -> tuple[float | None, list[str]]:
    """Computes again whatever follows from the executed updates.

    Args:
        guarantee: A record from anywhere.

    Returns:
        Epsilon by PLD (None if it cannot be computed), and a sentence for each number that differs.
    """
    interval = guarantee.results[0].discretization_interval or 0.0
    if interval < _SMALLEST_INTERVAL:
        return None, [f"The record's discretisation interval of {interval:g} is not plausible."]
    try:
        accounts = account(guarantee.updates.segments, guarantee.delta, interval)
    except (ArithmeticError, ValueError, MemoryError) as error:
        return None, [f"The record's epsilon cannot be computed again: {error}."]
    epsilon = accounts.results[0].epsilon
    computed = {
        "claim": {"epsilon": epsilon},
        "results": [{**strict_json.encode(row), **_VERSIONLESS} for row in accounts.results],
        "curve": [strict_json.encode(point) for point in accounts.curve],
        "renyi": strict_json.encode(accounts.renyi),
        "event": strict_json.encode(accounts.event),
        **_derived(guarantee),
    }
    stated = strict_json.encode(guarantee)
    problems = [
        f"The record states {where} = {was}, but its own updates give {should}."
        for where, was, should in differences(stated, computed, tolerance=_TOLERANCE)
    ]
    evident = evident_weaknesses(
        guarantee.claim, guarantee.mechanism.clip_norm, guarantee.sampling.examples
    )
    problems += [
        f"The record hides a weakness: {weakness}."
        for weakness in evident
        if weakness not in guarantee.weaknesses
    ]
    return epsilon, problems


def _derived(guarantee: PrivacyGuarantee) -> dict[str, Any]:
    """What the record repeats for readers, from the fields that it follows from."""
    segments = guarantee.updates.segments
    noise_multiplier = min((each.noise_multiplier for each in segments), default=None)
    return {
        "mechanism": {
            "noise_multiplier": noise_multiplier,
            "noise_standard_deviation": noise_standard_deviation(
                noise_multiplier, guarantee.mechanism.clip_norm
            ),
        },
        "sampling": {
            "sampling_rate": guarantee.sampling.expected_batch / guarantee.sampling.examples
        },
        "updates": {"executed": sum(each.updates for each in segments)},
    }
