"""The picture of a network: its layers from top to bottom, with shapes and parameter counts."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tfdpzoo.cards import formatting
from tfdpzoo.cards.architecture_graph import ArchitectureGraph, Repetition, Row, architecture_graph
from tfdpzoo.cards.picture import Picture
from tfdpzoo.cards.templating import page_templates
from tfdpzoo.cards.theme import colour
from tfdpzoo.foreign_text import printable
from tfdpzoo.model_facts import ModelFacts

_MARGIN = 12
_BOX_WIDTH = 496
_BOX_HEIGHT = 42
_GAP = 18
_LANE = 14
_BRACKET_WIDTH = 74
_LONGEST_TEXT = 58


@dataclass(frozen=True)
class _Box:
    """A row where it is drawn."""

    y: int
    kind: str
    title: str
    subtitle: str
    shape: str
    parameters: str

    @property
    def middle(self) -> int:
        return self.y + _BOX_HEIGHT // 2

    @property
    def bottom(self) -> int:
        return self.y + _BOX_HEIGHT


@dataclass(frozen=True)
class _Skip:
    """A connection around rows, in a lane on the left."""

    start: int
    end: int
    x: int


@dataclass(frozen=True)
class _Bracket:
    """What says that rows are repeated."""

    y: int
    height: int
    label: str
    growth: str


def draw_architecture(facts: ModelFacts) -> Picture:
    """Draws a network.

    Args:
        facts: What is known of the model; it must have layers.

    Returns:
        The picture, with a text that says what it shows.
    """
    graph = architecture_graph(facts.layers, facts.input_shape)
    boxes = [_box(index, row) for index, row in enumerate(graph.rows)]
    skips, lanes = _skips(graph, boxes)
    left = _MARGIN + lanes * _LANE + (8 if lanes else 0)
    brackets = [_bracket(each, boxes) for each in graph.repetitions]
    text = _alternative(facts, graph)
    svg = (
        page_templates("tfdpzoo.cards")
        .get_template("architecture.svg")
        .render(
            text=text,
            boxes=boxes,
            arrows=_arrows(graph, boxes),
            skips=skips,
            brackets=brackets,
            left=left,
            width=left + _BOX_WIDTH + (_BRACKET_WIDTH if brackets else 0) + _MARGIN,
            height=boxes[-1].bottom + _MARGIN,
            box_width=_BOX_WIDTH,
            box_height=_BOX_HEIGHT,
            colour=colour,
        )
    )
    return Picture("architecture", svg.strip() + "\n", text)


def _box(index: int, row: Row) -> _Box:
    also = f"also takes {', '.join(row.operations)} (no layer)" if row.operations else ""
    return _Box(
        y=_MARGIN + index * (_BOX_HEIGHT + _GAP),
        kind=_kind(row),
        title=_short(" → ".join(row.types)),
        subtitle=_short(", ".join(filter(None, (row.name, also)))),
        shape=formatting.shape(row.shape),
        parameters=f"{row.parameters:,} parameters" if row.parameters else "",
    )


def _short(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


_KINDS = {
    "Conv": "convolution",
    "SmoothBlock": "convolution",
    "Dense": "dense",
    "Pool": "pooling",
    "Add": "join",
    "Concatenate": "join",
}


def _kind(row: Row) -> str:
    for part, kind in _KINDS.items():
        if any(part in each for each in row.types):
            return kind
    return "join" if len(row.inputs) > 1 else "other"


def _arrows(graph: ArchitectureGraph, boxes: Sequence[_Box]) -> list[tuple[int, int]]:
    """From each row to the one below, where that takes its output."""
    return [
        (above.bottom, below.y)
        for index, (above, below) in enumerate(pairwise(boxes))
        if index in graph.rows[index + 1].inputs
    ]


def _skips(graph: ArchitectureGraph, boxes: Sequence[_Box]) -> tuple[list[_Skip], int]:
    """The other connections, the short ones nearest to the boxes; and how many lanes they take."""
    ends = sorted(
        (source, index)
        for index, row in enumerate(graph.rows)
        for source in row.inputs
        if source != index - 1
    )
    lanes: list[tuple[int, int, int]] = []
    busy: list[tuple[int, int]] = []
    free: list[int] = []
    count = 0
    for source, index in ends:
        while busy and busy[0][0] <= source:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            heapq.heappush(free, count)
            count += 1
        lane = heapq.heappop(free)
        heapq.heappush(busy, (index, lane))
        lanes.append((source, index, lane))
    return [
        _Skip(
            boxes[source].middle + 7, boxes[index].middle - 7, _MARGIN + _LANE * (count - 1 - lane)
        )
        for source, index, lane in lanes
    ], count


def _bracket(repetition: Repetition, boxes: Sequence[_Box]) -> _Bracket:
    first, last = boxes[repetition.first], boxes[repetition.last]
    growth = f"to {formatting.shape(repetition.last_shape)}" if repetition.last_shape else ""
    return _Bracket(first.y - 5, last.bottom - first.y + 10, f"× {repetition.times}", growth)


def _alternative(facts: ModelFacts, graph: ArchitectureGraph) -> str:
    blocks = Counter((each.last - each.first + 1, each.times) for each in graph.repetitions)
    repeated = "".join(
        f" {'A block' if found == 1 else f'{found} blocks'} of {rows} rows "
        f"{'is' if found == 1 else 'are'} repeated {times} times{'' if found == 1 else ' each'}."
        for (rows, times), found in blocks.items()
    )
    skips = sum(
        source != index - 1 for index, row in enumerate(graph.rows) for source in row.inputs
    )
    connections = f" {skips} connections skip rows." if skips > 1 else ""
    if not graph.connected:
        connections = " How the layers are connected is not known."
    return (
        f"The network from top to bottom: images of {formatting.shape(facts.input_shape)} go "
        f"through {len(facts.layers)} layers with {facts.parameters:,} parameters to "
        f"{facts.classes} classes.{repeated}{connections}"
    )
