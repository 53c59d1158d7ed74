"""Which settings a search varies, as KerasTuner takes it."""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import keras_tuner

from tfdpzoo.dimension import Dimension
from tfdpzoo.errors import InputError
from tfdpzoo.recipe import Recipe
from tfdpzoo.tuning.draws import draw

_DRAWS = 64
"""So many random settings are tried to find what a function declares for some of them alone."""

_ACCOUNTED = frozenset({"privacy.batch_size", "privacy.epochs"})


class Space(Protocol):
    """Which settings a search varies."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings, by their dotted keys in the recipe."""

    @property
    def size(self) -> int | None:
        """How many different settings there are; None for a space without an end."""

    @property
    def touches_accounting(self) -> bool:
        """Whether trials can differ in batch size or epochs, which decide how much they cost."""

    def declare(self, parameters: keras_tuner.HyperParameters) -> dict[str, Any]:
        """Declares hyper-parameters and returns the values that they have.

        Args:
            parameters: KerasTuner's.

        Returns:
            Values for `Recipe.with_overrides`.
        """

    def explore(self, parameters: keras_tuner.HyperParameters) -> None:
        """Declares all hyper-parameters, also those that have a value under a condition only.

        Args:
            parameters: KerasTuner's.
        """


@dataclass(frozen=True)
class SearchSpace:
    """The space in a recipe's table `[tune]`.

    Attributes:
        dimensions: The settings, by their dotted keys.
        present: The recipe's own values, with which KerasTuner's oracles begin.
    """

    dimensions: Mapping[str, Dimension]
    present: Mapping[str, Any]

    @classmethod
    def of(cls, recipe: Recipe) -> SearchSpace:
        """Returns the space of a recipe.

        Raises:
            InputError: The recipe has none.
        """
        if not recipe.tune:
            raise InputError(
                f"The recipe {recipe.name} does not say what to search; give it a table [tune], "
                'for example "optimizer.learning_rate" = { min = 0.5, max = 8.0, sampling = "log" '
                "}, or a function with --space."
            )
        return cls(recipe.tune, recipe.settings())

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings, by their dotted keys in the recipe."""
        return tuple(self.dimensions)

    @property
    def size(self) -> int | None:
        """How many different settings there are; None for a space without an end."""
        sizes = [each.size for each in self.dimensions.values()]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

    @property
    def touches_accounting(self) -> bool:
        """Whether trials can differ in batch size or epochs."""
        return bool(_ACCOUNTED & set(self.dimensions))

    def declare(self, parameters: keras_tuner.HyperParameters) -> dict[str, Any]:
        """Declares all hyper-parameters and returns the values that they have."""
        return {
            key: _declared(parameters, key, dimension, self.present.get(key))
            for key, dimension in self.dimensions.items()
        }

    def explore(self, parameters: keras_tuner.HyperParameters) -> None:
        """Declares all hyper-parameters."""
        self.declare(parameters)


class FunctionSpace:
    """The space that a Python function declares, conditions included.

    Args:
        recipe: Whose settings are varied.
        function: Takes `keras_tuner.HyperParameters` and returns values by their dotted keys.
        label: What the function is called in errors.

    Raises:
        InputError: The function fails, returns something else, declares nothing that varies, or
            sets what the recipe does not have.

    Example:
        >>> from tfdpzoo.zoo import catalog
        >>> def space(hp):
        ...     return {"privacy.clip_norm": hp.Choice("clip", [0.1, 1.0])}
        >>> FunctionSpace(catalog.recipe("smoothnet", "digits"), space, "space").keys
        ('privacy.clip_norm',)
    """

    def __init__(self, recipe: Recipe, function: Callable[..., Any], label: str) -> None:
        self._recipe = recipe
        self._function = function
        self._label = label
        parameters = keras_tuner.HyperParameters()
        self.keys = tuple(self._explored(parameters))
        if not any(len(set(each.values)) > 1 for each in parameters.space):
            raise InputError(
                f"{label} declares nothing that varies; let it call hp.Float, hp.Int or hp.Choice "
                "and return what these give."
            )
        self._refuse_hidden(parameters)

    @property
    def size(self) -> None:
        """Not known of a function."""

    @property
    def touches_accounting(self) -> bool:
        """Whether trials can differ in batch size or epochs."""
        return bool(_ACCOUNTED & set(self.keys))

    def declare(self, parameters: keras_tuner.HyperParameters) -> dict[str, Any]:
        """Calls the function, and checks that the recipe takes what it returns.

        Raises:
            InputError: The function fails, or returns something else.
        """
        try:
            values = self._function(parameters)
        except InputError:
            raise
        # The function is the user's own, and may fail in any way.
        except (Exception, SystemExit) as error:
            raise InputError(f"{self._label} failed: {type(error).__name__}: {error}.") from error
        if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
            raise InputError(
                f"{self._label} returned {values!r:.60}; it must return settings by their names, "
                'for example {"optimizer.learning_rate": hp.Float(...)}.'
            )
        self._recipe.with_searched(values)
        return dict(values)

    def explore(self, parameters: keras_tuner.HyperParameters) -> None:
        """Declares all hyper-parameters, those in each `conditional_scope` included."""
        self._explored(parameters)

    def _refuse_hidden(self, parameters: keras_tuner.HyperParameters) -> None:
        """Refuses what is declared for some values alone and could not be searched."""
        known = {each.name for each in parameters.space}
        for number in range(_DRAWS):
            drawn = parameters.copy()
            drawn.values = draw(parameters.space, functools.partial(_seed, number))
            self.declare(drawn)
            hidden = {each.name for each in drawn.space} - known
            if hidden:
                raise InputError(
                    f"{self._label} declares {min(hidden)!r} only for some values of others, so "
                    "that it would not be searched; declare it always, or inside of "
                    "hp.conditional_scope."
                )

    def _explored(self, parameters: keras_tuner.HyperParameters) -> dict[str, Any]:
        """Declares all, and returns one value of each setting that the function can set."""
        found = self.declare(parameters)
        begun: list[Any] = []
        while scopes := [each for each in parameters.inactive_scopes if each not in begun]:
            begun.append(scopes[0])
            within = keras_tuner.HyperParameters()
            within.merge(parameters)
            for condition in scopes[0]:
                within.values[condition.name] = condition.values[0]
            for each in within.space:
                if within.is_active(each):
                    within.values.setdefault(each.name, each.default)
            found |= self.declare(within)
            parameters.merge(within, overwrite=False)
            parameters.inactive_scopes += within.inactive_scopes
        return found


def _declared(
    parameters: keras_tuner.HyperParameters, key: str, dimension: Dimension, present: Any
) -> Any:
    if dimension.values is not None:
        values = list(dimension.values)
        if isinstance(values[0], bool):
            # Choice would make numbers of them.
            return parameters.Boolean(key, default=present is True)
        return parameters.Choice(key, values, default=present if present in values else values[0])
    low, _ = dimension.ends
    declare, kind = (parameters.Int, int) if dimension.whole else (parameters.Float, float)
    within = _is_within(dimension, present)
    drawn = declare(
        key,
        min_value=low,
        max_value=_largest(dimension),
        step=dimension.step,
        sampling=dimension.sampling,
        default=kind(present if within else low),
    )
    # KerasTuner draws min - 1 once in a while, of whole numbers on a reversed logarithmic scale.
    return max(kind(low), drawn)


def _largest(dimension: Dimension) -> Any:
    """The end of a range, or for steps such as 0.1, whose last one KerasTuner loses, beyond it."""
    low, high = dimension.ends
    step, size = dimension.step, dimension.size
    if step is None or size is None or dimension.whole or dimension.sampling != "linear":
        return high
    return low + (size - 0.5) * step


def _is_within(dimension: Dimension, present: Any) -> bool:
    """Whether a recipe's value is one that the range can give."""
    if present is None or dimension.step is not None:
        return False
    low, high = dimension.ends
    return bool(low <= present <= high) and not (dimension.whole and present != int(present))


def _seed(number: int, name: str) -> int:
    return zlib.crc32(f"{number} {name}".encode())
