"""Group convolutions as constants: from where in a kernel each number of the filters comes.

The same definitions as `tfdpzoo.layers.filter_expansion` and `tfdpzoo.layers.groups`, which the
peers' interpreter cannot import: an element 4m + r turns a grid r times by 90 degrees and then, if
m is 1, flips its rows, and the filter from the input's element h' to the output's element h is the
kernel's grid of h^-1 h', moved by h (Cohen and Welling 2016, arXiv 1602.07576).
"""

from __future__ import annotations

import numpy as np

Elements = tuple[int, ...]

D4: Elements = (0, 1, 2, 3, 4, 5, 6, 7)
D2: Elements = (0, 2, 4, 6)

_SIZE = 3
_RING_WIDTH = 0.4


def lifting_sources() -> np.ndarray:
    """Returns the kernel's cell for each cell of a 3x3 filter, `(9, 1, |D4|)`."""
    return np.stack([_moved_cells(element) for element in D4], axis=-1)[:, None, :]


def group_sources(elements: Elements) -> np.ndarray:
    """Returns the kernel's row for each cell of a 3x3 filter, `(9, |G| in, |G| out)`.

    Rows count cells times elements: cell * |G| + position of h^-1 h'.
    """
    quotients = [
        [elements.index(_quotient(output, seen)) for output in elements] for seen in elements
    ]
    cells = np.stack([_moved_cells(output) for output in elements], axis=-1)
    return cells[:, None, :] * len(elements) + np.array(quotients)


def ring_basis() -> np.ndarray:
    """Returns the 3x3 filters of 8 degrees of freedom, `(9, 8)`: the middle, and seven waves."""
    rows, columns = np.mgrid[-1:2, -1:2].reshape(2, 9)
    radius, angle = np.hypot(rows, columns), np.arctan2(-rows, columns)
    ring = np.exp(-((radius - 1) ** 2) / (2 * _RING_WIDTH**2)) * (radius > 0)
    waves = [np.ones(9), *(wave(n * angle) for n in (1, 2, 3) for wave in (np.cos, np.sin))]
    basis = np.stack([radius == 0, *(ring * wave for wave in waves)], axis=1)
    return (basis / np.linalg.norm(basis, axis=0)).astype("float32")


def restricted_channels(fields: int) -> np.ndarray:
    """Returns from where each channel comes when fields of D4 are read as twice as many of D2."""
    cosets = np.array([*D2, *(element + 1 for element in D2)])
    return (np.arange(fields)[:, None] * len(D4) + cosets).ravel()


def _moved_cells(element: int) -> np.ndarray:
    turned = np.rot90(np.arange(_SIZE**2).reshape(_SIZE, _SIZE), element % 4)
    return (turned[::-1] if element >= 4 else turned).ravel()


def _quotient(output: int, seen: int) -> int:
    """The number of h^-1 h', for h of the output and h' of the input."""
    if output // 4 == seen // 4:
        return (seen - output) % 4
    return 4 + (seen + output) % 4
