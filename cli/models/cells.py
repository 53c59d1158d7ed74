"""How the facts of a version are written for people and for scripts."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from tfdpzoo.privacy.statement import round_up, scientific
from tfdpzoo.registry.index import RegisteredVersion
from tfdpzoo.registry.version_facts import VersionFacts


def epsilon_cell(facts: VersionFacts) -> str:
    """Epsilon and delta as the record claims them, epsilon rounded up; no claim if it is none."""
    if not facts.valid:
        return "not valid"
    return f"{rounded_epsilon(facts.epsilon)} at {scientific(facts.delta)}"


def rounded_epsilon(epsilon: float, digits: int = 2) -> str:
    """A privacy loss, rounded up; a stranger's record may say that an infinite one is valid."""
    return round_up(epsilon, digits) if math.isfinite(epsilon) else "infinite"


def accuracy_cell(facts: VersionFacts) -> str:
    """The accuracy on the test images, or a dash."""
    return "-" if facts.accuracy is None else f"{facts.accuracy:.2%}"


def parameters_cell(facts: VersionFacts) -> str:
    """How many numbers the network holds, or a dash."""
    return "-" if facts.parameters is None else f"{facts.parameters:,}"


def date_cell(facts: VersionFacts) -> str:
    """The day on which the record was made."""
    return facts.date[:10]


def version_fields(version: RegisteredVersion) -> dict[str, Any]:
    """Returns a version as JSON fields."""
    return {
        "name": version.name,
        "version": version.version,
        "path": str(version.path),
        "aliases": list(version.aliases),
        **(dataclasses.asdict(version.facts) if version.facts else {}),
        "problem": version.problem,
    }
