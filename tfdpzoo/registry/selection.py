"""Which registered versions are shown, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tfdpzoo.errors import InputError
from tfdpzoo.registry.index import RegisteredVersion
from tfdpzoo.registry.version_facts import VersionFacts

SORT_KEYS = ("name", "epsilon", "accuracy", "parameters", "date")


@dataclass(frozen=True)
class Selection:
    """What a version must be to be shown; None asks for nothing.

    Attributes:
        max_epsilon: The largest epsilon. A guarantee that is not valid has none.
        min_accuracy: The smallest accuracy on the test images, from 0 to 1.
        max_parameters: The largest number of parameters.
        dataset: The name of the data set.
        valid: Whether only valid guarantees are shown.

    Raises:
        InputError: A limit can be met by nothing, or by everything.
    """

    max_epsilon: float | None = None
    min_accuracy: float | None = None
    max_parameters: int | None = None
    dataset: str | None = None
    valid: bool = False

    def __post_init__(self) -> None:
        if self.max_epsilon is not None and not self.max_epsilon >= 0:
            raise InputError(f"The largest epsilon is {self.max_epsilon}; give 0 or more.")
        if self.min_accuracy is not None and not 0 <= self.min_accuracy <= 1:
            raise InputError(
                f"The smallest accuracy is {self.min_accuracy}; give a number from 0 to 1, such as "
                "0.95."
            )
        if self.max_parameters is not None and self.max_parameters < 0:
            raise InputError(
                f"The largest number of parameters is {self.max_parameters}; give 0 or more."
            )

    def takes(self, facts: VersionFacts) -> bool:
        """Tells whether a version is shown.

        Args:
            facts: What its files say.
        """
        return (
            (facts.valid or not self.valid)
            and _at_most(facts.epsilon if facts.valid else None, self.max_epsilon)
            and _at_most(facts.parameters, self.max_parameters)
            and (
                self.min_accuracy is None
                or (facts.accuracy is not None and facts.accuracy >= self.min_accuracy)
            )
            and self.dataset in (None, facts.dataset)
        )

    def sorted(
        self, versions: Iterable[RegisteredVersion], by: str, *, reverse: bool = False
    ) -> list[RegisteredVersion]:
        """Returns the versions that are shown; what is not known comes last, equals by name.

        Args:
            versions: All versions; those that cannot be read are left out.
            by: One of `SORT_KEYS`.
            reverse: Whether the largest comes first.
        """
        shown = [each for each in versions if each.facts is not None and self.takes(each.facts)]
        shown.sort(key=lambda each: (each.name, each.version), reverse=reverse and by == "name")
        if by == "name":
            return shown
        known = [each for each in shown if _value(each, by) is not None]
        unknown = [each for each in shown if _value(each, by) is None]
        return sorted(known, key=lambda each: _value(each, by), reverse=reverse) + unknown


def _value(version: RegisteredVersion, by: str) -> Any:
    facts = version.facts
    if facts is None or (by == "epsilon" and not facts.valid):
        return None
    return getattr(facts, by)


def _at_most(value: float | None, limit: float | None) -> bool:
    return limit is None or (value is not None and value <= limit)
