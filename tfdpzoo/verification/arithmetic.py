"""What a record says twice: whatever follows from its own fields, computed and written again."""

from __future__ import annotations

from typing import Any

from tfdpzoo.errors import InputError
from tfdpzoo.privacy import strict_json
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.verification.comparison import ANYTHING, differences

_TOLERANCE = 1e-6
"""Relative. Processors round differently in the Fourier transforms of PLD, which moves epsilon by a
few 1e-9."""

_SMALLEST_INTERVAL, _LARGEST_INTERVAL = 1e-5, 1.0
"""Recomputing on a finer grid would take gigabytes, and a wider one has next to no points; tfdpzoo
never writes one."""


def check_arithmetic(guarantee: PrivacyGuarantee) -> tuple[float | None, list[str]]:
    """States the record again from its own executed updates and its own search.

    Args:
        guarantee: A record from anywhere.

    Returns:
        The headline epsilon (None if it cannot be computed), and a sentence for each number and
        each text that differs.
    """
    interval = guarantee.discretization_interval
    if not _SMALLEST_INTERVAL <= interval <= _LARGEST_INTERVAL:
        return None, [f"The record's discretisation interval of {interval:g} is not plausible."]
    try:
        restated = guarantee.restated()
    except InputError as error:
        return None, [f"The record's fields do not fit each other: {error}"]
    except (ArithmeticError, ValueError, MemoryError) as error:
        return None, [f"The record's epsilon cannot be computed again: {error}."]
    problems = [
        f"The record states {where} = {was}, but its own fields give {should}."
        for where, was, should in differences(
            strict_json.encode(guarantee), _expected(restated), tolerance=_TOLERANCE
        )
    ]
    problems += [
        f"The record hides a weakness: {weakness}."
        for weakness in restated.weaknesses
        if weakness not in guarantee.weaknesses
    ]
    return restated.epsilon, problems


def _expected(restated: PrivacyGuarantee) -> dict[str, Any]:
    fields = strict_json.encode(restated)
    # Of the weaknesses some are known to the trainer alone.
    del fields["status"]
    for row in fields["results"]:
        row["accountant_version"] = ANYTHING
    for segment in fields["updates"]["segments"]:
        segment["sampling_rate"] = restated.sampling.sampling_rate
    return fields
