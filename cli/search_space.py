"""Which settings a search varies: the recipe's table, or what a function says."""

from __future__ import annotations

from tfdpzoo.cli.search_order import SearchOrder
from tfdpzoo.errors import InputError
from tfdpzoo.tuning.space import FunctionSpace, SearchSpace, Space
from tfdpzoo.zoo.own_models import OwnModel


def space_of(order: SearchOrder) -> Space:
    """Returns the space of a search.

    Args:
        order: What was asked for.

    Raises:
        InputError: The recipe has no space, or the function cannot be used.
    """
    if order.space is None:
        return SearchSpace.of(order.recipe)
    own = OwnModel.parse(order.space)
    if own is None:
        raise InputError(
            f"--space {order.space} names no function of a file; write path/to/file.py:function."
        )
    return FunctionSpace(order.recipe, own.load_function(), own.label)
