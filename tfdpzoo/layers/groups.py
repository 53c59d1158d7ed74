"""The finite groups of the square grid as data: rotations by quarter turns, and reflections.

An element (m, r) turns a grid r times by 90 degrees and then, if m is 1, flips its rows:
`numpy.rot90(grid, r)`, then `numpy.flip(..., axis=0)`. Rows count downwards and columns to the
right, so a quarter turn is counter-clockwise as an image is drawn. The number of an element is
4m + r. Order, product and action are those of GrouPy (Cohen and Welling 2016, arXiv 1602.07576).

Everything else speaks of an element by its position in its group's list `elements`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from tfdpzoo.errors import InputError, unknown_name


@dataclass(frozen=True)
class SquareGroup:
    """A group of symmetries of the square.

    Attributes:
        name: `"C1"`, `"C2"`, `"C4"` (rotations), `"D1"`, `"D2"` or `"D4"` (with reflections).
        elements: The numbers 4m + r of its elements, the identity first.

    Example:
        >>> group = square_group("p4m")
        >>> group.name, group.order, group.elements
        ('D4', 8, (0, 1, 2, 3, 4, 5, 6, 7))
        >>> int(group.inverses[1]), int(group.products[4, 1])
        (3, 5)
    """

    name: str
    elements: tuple[int, ...]

    @property
    def order(self) -> int:
        """|G|, how many elements there are."""
        return len(self.elements)

    @property
    def has_reflections(self) -> bool:
        """Whether any element flips."""
        return any(_is_flip(element) for element in self.elements)

    @functools.cached_property
    def products(self) -> np.ndarray:
        """`(order, order)`: the position of g h in row g and column h."""
        return np.array(
            [[self._position(_product(g, h)) for h in self.elements] for g in self.elements]
        )

    @functools.cached_property
    def inverses(self) -> np.ndarray:
        """`(order,)`: the position of each element's inverse."""
        return np.argmin(self.products, axis=1)

    def transform(
        self, grids: np.ndarray, position: int, axes: tuple[int, int] = (0, 1)
    ) -> np.ndarray:
        """Moves square grids by an element.

        Args:
            grids: Any array.
            position: The element.
            axes: The rows' and the columns' axis.
        """
        element = self.elements[position]
        turned = np.rot90(grids, element % 4, axes)
        return np.flip(turned, axes[0]) if _is_flip(element) else turned

    def grid_action(self, size: int) -> np.ndarray:
        """Returns `(order, size * size)`: from where each cell of a moved grid comes.

        The moved grid is `grid.ravel()[action[g]]`, for odd and even sizes.

        Example:
            >>> square_group("C4").grid_action(2)[1]
            array([1, 3, 0, 2])
        """
        cells = np.arange(size * size).reshape(size, size)
        return np.stack([self.transform(cells, g).ravel() for g in range(self.order)])

    def subgroups(self) -> list[SquareGroup]:
        """Returns the groups of this module that lie in this one, the smallest first."""
        return [group for group in _GROUPS if set(group.elements) <= set(self.elements)]

    def cosets(self, subgroup: SquareGroup) -> np.ndarray:
        """Returns the right cosets H s, into which the group falls when only H acts from the left.

        Args:
            subgroup: H.

        Returns:
            `(order / |H|, |H|)`: the position of h s in row s and column h. The representatives s
            are the smallest elements of their cosets.

        Raises:
            InputError: H is no subgroup.

        Example:
            >>> square_group("D4").cosets(square_group("D2"))
            array([[0, 2, 4, 6],
                   [1, 3, 5, 7]])
        """
        if subgroup not in self.subgroups():
            known = ", ".join(group.name for group in self.subgroups())
            raise InputError(
                f"{subgroup.name} is not a subgroup of {self.name}; choose of {known}."
            )
        rows: list[list[int]] = []
        for representative in self.elements:
            row = [self._position(_product(h, representative)) for h in subgroup.elements]
            if all(row[0] not in earlier for earlier in rows):
                rows.append(row)
        return np.array(rows)

    def _position(self, element: int) -> int:
        return self.elements.index(element)


_GROUPS = (
    SquareGroup("C1", (0,)),
    SquareGroup("C2", (0, 2)),
    SquareGroup("D1", (0, 4)),
    SquareGroup("C4", (0, 1, 2, 3)),
    SquareGroup("D2", (0, 2, 4, 6)),
    SquareGroup("D4", (0, 1, 2, 3, 4, 5, 6, 7)),
)
_PLANE_GROUPS = {"p1": "C1", "p2": "C2", "pm": "D1", "p4": "C4", "p2mm": "D2", "p4m": "D4"}
GROUP_NAMES = (*(group.name for group in _GROUPS), *_PLANE_GROUPS)


def square_group(name: str | SquareGroup) -> SquareGroup:
    """Returns a group by its name.

    Args:
        name: One of `GROUP_NAMES`: that of the point group, `"D4"`, or of the wallpaper group that
            it makes together with the shifts, `"p4m"`. A group is returned as it is.

    Raises:
        InputError: There is no such group.

    Example:
        >>> square_group("p4") == square_group("C4")
        True
    """
    if isinstance(name, SquareGroup):
        return name
    if name not in GROUP_NAMES:
        raise unknown_name("group", str(name), GROUP_NAMES)
    point_group = _PLANE_GROUPS.get(name, name)
    return next(group for group in _GROUPS if group.name == point_group)


def _product(left: int, right: int) -> int:
    """The number of the element that moves by `right` first; a flip turns rotations around."""
    turns = right % 4 + (-(left % 4) if _is_flip(right) else left % 4)
    return 4 * (_is_flip(left) ^ _is_flip(right)) + turns % 4


def _is_flip(element: int) -> bool:
    return element >= 4
