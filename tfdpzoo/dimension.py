"""One setting of a search, as a recipe's table `[tune]` describes it.

[tune]
"optimizer.learning_rate" = { min = 0.5, max = 8.0, sampling = "log" }
"privacy.clip_norm" = { values = [0.1, 0.3, 1.0] }
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfdpzoo.errors import InputError, unknown_name

SAMPLINGS = ("linear", "log", "reverse_log")
_FIELDS = ("values", "min", "max", "step", "sampling")
_NOT_SEARCHED = {
    "privacy.epsilon": "the budget of the whole search decides it",
    "privacy.delta": "the budget of the whole search decides it",
    "dataset": "all trials have the same examples",
    "image_size": "all trials have the same examples",
}


@dataclass(frozen=True)
class Dimension:
    """The values that one setting may take: some that are listed, or a range.

    Attributes:
        values: The listed ones, at least two; None for a range.
        minimum: The least value of a range.
        maximum: Its largest value.
        step: Between two values of a range, a factor with `sampling` "log"; None for any value
            between the ends.
        sampling: How values of a range are drawn: "linear", or "log", which prefers small ones, or
            "reverse_log", which prefers large ones.

    Raises:
        InputError: These are neither a list nor a range of more than one value.

    Example:
        >>> Dimension(minimum=1.0, maximum=8.0, step=2.0, sampling="log").size
        4
    """

    values: tuple[Any, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    sampling: str = "linear"

    def __post_init__(self) -> None:
        if self.values is not None:
            self._check_values(self.values)
            object.__setattr__(self, "values", _of_one_kind(self.values))
            return
        if self.minimum is None or self.maximum is None:
            raise InputError("give either values, or min and max.")
        for name, value in (("min", self.minimum), ("max", self.maximum), ("step", self.step)):
            if value is not None and not _is_number(value):
                raise InputError(f"{name} must be a finite number, got {value!r}.")
        if not self.minimum < self.maximum:
            raise InputError(f"min must be below max, got {self.minimum:g} and {self.maximum:g}.")
        if self.sampling not in SAMPLINGS:
            raise unknown_name("sampling", self.sampling, SAMPLINGS)
        if self.sampling != "linear" and self.minimum <= 0:
            raise InputError(f"sampling {self.sampling!r} needs a min above 0.")
        if self.step is not None:
            self._check_step(self.step)

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Dimension:
        """Reads a dimension from its table in a recipe.

        Raises:
            InputError: A field is unknown, or the values cannot be used.
        """
        for name in table:
            if name not in _FIELDS:
                raise unknown_name("field of a searched setting", name, _FIELDS)
        values = table.get("values")
        if values is not None and not isinstance(values, (list, tuple)):
            raise InputError(f"values must be a list, got {values!r}.")
        return cls(
            values=None if values is None else tuple(values),
            minimum=table.get("min"),
            maximum=table.get("max"),
            step=table.get("step"),
            sampling=table.get("sampling", "linear"),
        )

    def to_table(self) -> dict[str, Any]:
        """Returns the dimension as a table that `from_table` reads."""
        if self.values is not None:
            return {"values": list(self.values)}
        table: dict[str, Any] = {"min": self.minimum, "max": self.maximum}
        if self.step is not None:
            table["step"] = self.step
        if self.sampling != "linear":
            table["sampling"] = self.sampling
        return table

    @property
    def ends(self) -> tuple[Any, ...]:
        """The listed values, or the ends of the range: if these can be used, all can."""
        return self.values if self.values is not None else (self.minimum, self.maximum)

    @property
    def whole(self) -> bool:
        """Whether all values are whole numbers."""
        numbers = self.ends if self.step is None else (*self.ends, self.step)
        return all(isinstance(each, int) and not isinstance(each, bool) for each in numbers)

    @property
    def size(self) -> int | None:
        """How many values there are; None for any number between two ends."""
        if self.values is not None:
            return len(self.values)
        low, high = float(self.minimum or 0), float(self.maximum or 0)
        if self.step is None:
            return int(high - low) + 1 if self.whole else None
        # The tiny term keeps an exact quotient from being rounded down.
        if self.sampling == "linear":
            return int((high - low) / self.step + 1e-9) + 1
        return int(math.log(high / low) / math.log(self.step) + 1e-9) + 1

    def _check_values(self, values: tuple[Any, ...]) -> None:
        if any(each is not None for each in (self.minimum, self.maximum, self.step)):
            raise InputError("give either values, or min and max.")
        if self.sampling != "linear":
            raise InputError("sampling belongs to min and max; listed values are equally likely.")
        if len(values) < 2:
            raise InputError("values must be at least two; a single one is no search.")
        if not all(isinstance(each, str | bool) or _is_number(each) for each in values):
            raise InputError("values must be numbers, texts, or true and false.")
        if len({str if isinstance(each, str) else isinstance(each, bool) for each in values}) > 1:
            raise InputError(
                f"values must be all numbers, all texts, or true and false, got {list(values)}."
            )
        if len(set(values)) < len(values):
            raise InputError(f"values must differ from each other, got {list(values)}.")

    def _check_step(self, step: float) -> None:
        if self.sampling == "reverse_log":
            raise InputError("a step has no meaning with sampling 'reverse_log'.")
        least = 1 if self.sampling == "log" else 0
        if not step > least:
            raise InputError(
                f"step must be above {least} with sampling {self.sampling!r}, got {step:g}."
            )
        if self.size == 1:
            raise InputError(f"step {step:g} leaves a single value, which is no search.")


def read_dimensions(table: Mapping[str, Any], prefix: str = "") -> dict[str, Dimension]:
    """Reads a table `[tune]`, whose keys are dotted or nested.

    Args:
        table: The table, or one within it.
        prefix: What leads to it.

    Raises:
        InputError: A dimension cannot be used; the sentence names the setting.
    """
    found: dict[str, Dimension] = {}
    for name, value in table.items():
        read = _read_entry(f"{prefix}{name}", value)
        for key in found.keys() & read.keys():
            raise InputError(f"tune.{key} is given twice; give it once.")
        found |= read
    return found


def refuse_not_searched(key: str) -> None:
    """Refuses to search a setting that trials must have in common.

    Raises:
        InputError: It is one; the sentence says why.
    """
    reason = _NOT_SEARCHED.get(key)
    if reason is None and key.startswith("execution."):
        reason = "it changes the speed and nothing else"
    if reason is not None:
        raise InputError(f"{key} cannot be searched: {reason}.")


def _read_entry(key: str, value: Any) -> dict[str, Dimension]:
    if isinstance(value, Dimension):
        return {key: value}
    if not isinstance(value, Mapping):
        raise InputError(f"tune.{key} must be a table such as {{ values = [1, 2] }}.")
    if value and all(isinstance(each, Mapping) for each in value.values()):
        return read_dimensions(value, f"{key}.")
    return {key: _named(key, value)}


def _named(key: str, table: Mapping[str, Any]) -> Dimension:
    try:
        return Dimension.from_table(table)
    except InputError as error:
        raise InputError(f"tune.{key}: {error}") from error


def _of_one_kind(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """KerasTuner takes no mixture of whole numbers and others, as TOML's [0.5, 1] is one."""
    if any(isinstance(each, float) for each in values):
        return tuple(float(each) for each in values)
    return values


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
