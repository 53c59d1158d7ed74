"""Which settings a search varies: the recipe's table, or what a function says."""

from __future__ import annotations

from tfdpzoo.cli.search_order import SearchOrder
from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.tuning.space import FunctionSpace, SearchSpace, Space
from tfdpzoo.zoo import catalog
from tfdpzoo.zoo.own_models import OwnModel


def space_of(order: SearchOrder) -> Space:
    """Returns the space of a search.

    Args:
        order: What was asked for.

    Raises:
        InputError: The recipe has no space, or the function cannot be used.
    """
    if order.space is None:
        space = SearchSpace.of(order.recipe)
        _require_arguments(order, space.keys)
        return space
    own = OwnModel.parse(order.space)
    if own is None:
        raise InputError(
            f"--space {order.space} names no function of a file; write path/to/file.py:function."
        )
    declared = FunctionSpace(order.recipe, own.load_function(), own.label)
    _require_arguments(order, declared.keys)
    return declared


def _require_arguments(order: SearchOrder, keys: tuple[str, ...]) -> None:
    """Refuses arguments that the model does not take, before a trial is spent on finding out."""
    known = catalog.entry(order.model).arguments()
    for key in keys:
        table, _, name = key.partition(".")
        if table == "architecture" and name not in known and name not in order.recipe.architecture:
            raise unknown_name(f"argument of {order.recipe.model}", name, known)
