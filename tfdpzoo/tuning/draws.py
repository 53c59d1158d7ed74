"""Random values for all hyper-parameters of a space."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import keras_tuner
from keras_tuner.engine.hyperparameters import HyperParameter


def draw(space: Iterable[HyperParameter], seed_of: Callable[[str], int]) -> dict[str, object]:
    """Draws a value for each hyper-parameter that is active beside those before it.

    Args:
        space: The hyper-parameters, in the order in which they were declared.
        seed_of: Returns the seed for a hyper-parameter's name.

    Example:
        >>> parameters = keras_tuner.HyperParameters()
        >>> default = parameters.Choice("units", [8, 16])
        >>> draw(parameters.space, lambda name: 0) in ({"units": 8}, {"units": 16})
        True
    """
    drawn = keras_tuner.HyperParameters()
    for each in space:
        drawn.merge([each])
        if drawn.is_active(each):
            drawn.values[each.name] = each.random_sample(seed_of(each.name))
    values: dict[str, object] = drawn.values
    return values
