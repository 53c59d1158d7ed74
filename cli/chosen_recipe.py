"""The recipe that the options of a command choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfdpzoo.errors import InputError
from tfdpzoo.recipe import Recipe
from tfdpzoo.zoo import catalog


def chosen_recipe(
    model: str,
    name: str | None,
    dataset: str | None,
    given: Mapping[str, Any],
    texts: Mapping[str, str],
) -> Recipe:
    """Reads a recipe and puts what was typed on top.

    Args:
        model: The model's name, or `path/to/file.py:function`.
        name: The recipe's name or file; None for the model's default.
        dataset: The data set; None for the recipe's.
        given: Values of options by dotted key.
        texts: What was typed with --set.

    Raises:
        InputError: Something is unknown, cannot be used or is set twice.
    """
    recipe = catalog.recipe(model, name, dataset).with_overrides(given)
    if not texts:
        return recipe
    twice = texts.keys() & {*given, *(("dataset",) if dataset is not None else ())}
    if twice:
        raise InputError(f"{min(twice)} is set twice; give it once.")
    # Which arguments the architecture has is known to its code alone, which needs TensorFlow.
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow

    start_tensorflow()
    return catalog.recipe(model, name, dataset, overrides={**given, **texts})
