"""Published results to compare with, from `anchors.toml` beside this file."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tfdpzoo.toml import read_table

_FILE = Path(__file__).with_name("anchors.toml")


@dataclass(frozen=True)
class Anchor:
    """What a publication states for a data set.

    Attributes:
        method: What was done, by whom, when.
        source: Where the numbers are stated.
        points: Epsilon and accuracy, the accuracy as a share.
        delta: Of all points.
        note: What to know of the numbers; may be empty.
    """

    method: str
    source: str
    points: tuple[tuple[float, float], ...]
    delta: float
    note: str


@functools.cache
def published_anchors() -> Mapping[str, tuple[Anchor, ...]]:
    """Returns the published results by data set.

    Example:
        >>> sorted(published_anchors())[0]
        'cifar10'
    """
    table = read_table(_FILE)
    return MappingProxyType({name: tuple(map(_anchor, found)) for name, found in table.items()})


def _anchor(fields: Mapping[str, Any]) -> Anchor:
    return Anchor(
        method=fields["method"],
        source=fields["source"],
        points=tuple((float(epsilon), accuracy / 100) for epsilon, accuracy in fields["points"]),
        delta=fields.get("delta", 1e-5),
        note=fields.get("note", ""),
    )
