"""A network as the rows of a picture: layers that belong together in one row, repetitions once.

A row is a layer that does the work (a convolution, a pooling, a sum) together with the activations
and normalisations beside it, which do not change the shape. Rows come in an order in which branches
stay together, and a block that is repeated three times or more is shown once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tfdpzoo.model_facts import LayerFacts

INPUT = 0
"""The row of the input."""

_LIGHT = ("Activation", "Normalization", "ReLU", "ELU", "GELU", "Dropout", "Noise", "Identity")
_LONGEST_BLOCK = 12
_FEWEST_REPETITIONS = 3
_MOST_ROWS = 30


@dataclass(frozen=True)
class Row:
    """A row of the picture.

    Attributes:
        types: The classes of its layers, in order.
        name: The name of the layer that does the work.
        shape: Of its output, without the batch; None where it is not known.
        parameters: How many numbers its layers hold.
        inputs: The rows whose outputs it takes; `INPUT` is the first.
        operations: Operations that are no layers whose outputs it takes as well.
    """

    types: tuple[str, ...]
    name: str
    shape: tuple[int, ...] | None
    parameters: int
    inputs: tuple[int, ...]
    operations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Repetition:
    """Rows that stand for several equal blocks.

    Attributes:
        first: The first row of the block.
        last: The last row of the block.
        times: How often the block occurs, one after the other.
        last_shape: Of the last block's output; None where all blocks have the same shapes.
    """

    first: int
    last: int
    times: int
    last_shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class ArchitectureGraph:
    """The picture's rows, the input first, and which of them are repeated."""

    rows: tuple[Row, ...]
    repetitions: tuple[Repetition, ...]
    connected: bool


def architecture_graph(
    layers: Sequence[LayerFacts], input_shape: tuple[int, ...]
) -> ArchitectureGraph:
    """Arranges the layers of a network.

    Args:
        layers: The network, in order.
        input_shape: Of one image.

    Returns:
        The rows. `connected` is False where the layers do not tell what they take; the rows are
        then the layers as they come.

    Example:
        >>> dense = LayerFacts("logits", "Dense", (10,), 650, ("images",))
        >>> [row.types for row in architecture_graph([dense], (8, 8, 1)).rows]
        [('Input',), ('Dense',)]
    """
    source = Row(("Input",), "images", tuple(input_shape), 0, ())
    connected = bool(layers) and all(layer.inputs for layer in layers)
    if not connected:
        return ArchitectureGraph((source, *map(_alone, layers)), (), False)
    inputs = _known_inputs(layers)
    rows = [source, *_in_order(_folded(layers, inputs), inputs, layers)]
    return ArchitectureGraph(*_without_repetitions(rows), True)


def _alone(layer: LayerFacts) -> Row:
    return Row((layer.type,), layer.name, layer.output_shape, layer.parameters, ())


def _known_inputs(layers: Sequence[LayerFacts]) -> list[tuple[tuple[int, ...], tuple[str, ...]]]:
    """For each layer the layers it takes, as indices (-1 is the input), and other operations.

    Inputs of models inside the model are no layers: the first that is named stands for the input of
    the whole, and later ones for the layer before them if nothing else takes that.
    """
    consumed = {name for layer in layers for name in layer.inputs}
    known: dict[str, int] = {}
    found = []
    for index, layer in enumerate(layers):
        indices, operations = [], []
        for name in layer.inputs:
            if name not in known and index == 0:
                known[name] = -1
            elif name not in known and layers[index - 1].name not in consumed:
                known[name] = index - 1
            if name in known:
                indices.append(known[name])
            else:
                operations.append(name)
        known[layer.name] = index
        found.append((tuple(indices), tuple(operations)))
    return found


_Inputs = Sequence[tuple[tuple[int, ...], tuple[str, ...]]]


def _folded(layers: Sequence[LayerFacts], inputs: _Inputs) -> list[list[int]]:
    """Groups layers into rows: light ones go with the layer before them or after them."""
    following = _following(inputs)
    light = [_is_light(layer) and _keeps_shape(layers, inputs, i) for i, layer in enumerate(layers)]
    forward = _lights_come_first(layers, inputs, following, light)
    row_of: dict[int, list[int]] = {}
    for index in range(len(layers)):
        before = _only_input(index, inputs, following)
        if before is not None and _belongs_together(before, index, layers, light, forward):
            row_of[index] = row_of[before]
            row_of[index].append(index)
        else:
            row_of[index] = [index]
    return list({id(row): row for row in row_of.values()}.values())


def _belongs_together(
    before: int, index: int, layers: Sequence[LayerFacts], light: Sequence[bool], forward: bool
) -> bool:
    if forward:
        return light[before]
    return light[index] and (light[before] or layers[before].type != "Input")


def _lights_come_first(
    layers: Sequence[LayerFacts],
    inputs: _Inputs,
    following: Mapping[int, list[int]],
    light: Sequence[bool],
) -> bool:
    """Whether activations and normalisations mostly stand before the layers with weights."""
    votes = 0
    for index, layer in enumerate(layers):
        if layer.parameters and not light[index]:
            before = _only_input(index, inputs, following)
            after = following.get(index, [])
            votes += before is not None and light[before]
            votes -= len(after) == 1 and light[after[0]]
    return votes > 0


def _following(inputs: _Inputs) -> dict[int, list[int]]:
    following: dict[int, list[int]] = {}
    for index, (sources, _) in enumerate(inputs):
        for source in sources:
            following.setdefault(source, []).append(index)
    return following


def _only_input(index: int, inputs: _Inputs, following: Mapping[int, list[int]]) -> int | None:
    """The layer whose output this one takes alone, and takes nothing else."""
    sources, operations = inputs[index]
    if operations or len(sources) != 1 or sources[0] < 0:
        return None
    return sources[0] if len(following[sources[0]]) == 1 else None


def _is_light(layer: LayerFacts) -> bool:
    return any(part in layer.type for part in _LIGHT)


def _keeps_shape(layers: Sequence[LayerFacts], inputs: _Inputs, index: int) -> bool:
    sources, _ = inputs[index]
    known = [layers[each].output_shape for each in sources if each >= 0]
    return all(shape == layers[index].output_shape for shape in known)


def _in_order(
    groups: Sequence[list[int]], inputs: _Inputs, layers: Sequence[LayerFacts]
) -> list[Row]:
    """The rows, each after what it takes, and branches one after the other."""
    group_of = {index: number for number, group in enumerate(groups) for index in group}
    sources = [
        tuple(dict.fromkeys(-1 if each < 0 else group_of[each] for each in inputs[group[0]][0]))
        for group in groups
    ]
    # What takes operations alone is drawn after the layer before it.
    after = [
        found or (group_of[groups[number][0] - 1] if groups[number][0] else -1,)
        for number, found in enumerate(sources)
    ]
    place = {-1: INPUT}
    ordered: list[int] = []
    waiting = list(range(len(groups)))
    while waiting:
        # The newest row that is ready: it goes on with the branch that was drawn last.
        ready = [each for each in waiting if all(source in place for source in after[each])]
        latest = max(ready, key=lambda each: (max(place[source] for source in after[each]), each))
        waiting.remove(latest)
        ordered.append(latest)
        place[latest] = len(ordered)
    return [
        _row(
            [layers[index] for index in groups[number]],
            tuple(place[source] for source in sources[number]),
            inputs[groups[number][0]][1],
        )
        for number in ordered
    ]


def _row(layers: Sequence[LayerFacts], inputs: tuple[int, ...], operations: tuple[str, ...]) -> Row:
    main = next((layer for layer in layers if not _is_light(layer)), layers[0])
    return Row(
        types=tuple(layer.type for layer in layers),
        name=main.name,
        shape=layers[-1].output_shape,
        parameters=sum(layer.parameters for layer in layers),
        inputs=inputs,
        operations=operations,
    )


def _without_repetitions(rows: list[Row]) -> tuple[tuple[Row, ...], tuple[Repetition, ...]]:
    """Shows equal blocks once; blocks that differ in shapes alone only where there are many."""
    exact = list(_repetitions(rows, strict=True))
    if len(rows) - _saved(exact) > _MOST_ROWS:
        loose = list(_repetitions(rows, strict=False))
        exact = loose if _saved(loose) > _saved(exact) else exact
    return _shown_once(rows, exact)


def _saved(repetitions: Sequence[Repetition]) -> int:
    return sum((each.last - each.first + 1) * (each.times - 1) for each in repetitions)


def _repetitions(rows: Sequence[Row], *, strict: bool) -> Iterator[Repetition]:
    """The repetitions that leave out most rows, from the first row on, without overlaps."""
    signatures = [_signature(index, row, strict) for index, row in enumerate(rows)]
    index = 1
    while index < len(rows):
        times, length = max(
            (_repeated(signatures, index, length) for length in range(1, _LONGEST_BLOCK + 1)),
            key=lambda found: (found[0] - 1) * found[1],
        )
        if times < _FEWEST_REPETITIONS:
            index += 1
            continue
        index = _block_start(rows, signatures, index, times, length)
        last = index + length - 1
        final = rows[index + times * length - 1].shape
        yield Repetition(index, last, times, None if final == rows[last].shape else final)
        index += times * length


def _block_start(
    rows: Sequence[Row], signatures: Sequence[object], start: int, times: int, length: int
) -> int:
    """Where equal blocks begin: so that each ends with what joins its branches, if it can."""
    for index in range(start, start + length):
        joins = len(rows[min(index + length, len(rows)) - 1].inputs) > 1
        if joins and _repeated(signatures, index, length)[0] >= times:
            return index
    return start


def _repeated(signatures: Sequence[object], start: int, length: int) -> tuple[int, int]:
    block = signatures[start : start + length]
    times = 1
    while signatures[start + times * length : start + (times + 1) * length] == block:
        times += 1
    return (times, length) if len(block) == length else (1, length)


def _signature(index: int, row: Row, strict: bool) -> object:
    offsets = tuple(index - each for each in row.inputs)
    sizes = (row.shape, row.parameters) if strict else None
    return row.types, offsets, sizes, bool(row.operations)


def _shown_once(
    rows: Sequence[Row], repetitions: Sequence[Repetition]
) -> tuple[tuple[Row, ...], tuple[Repetition, ...]]:
    """Leaves out all blocks of a repetition but the first, and renumbers what is left."""
    place: dict[int, int] = {}
    kept: list[int] = []
    shown: list[Repetition] = []
    starts = {each.first: each for each in repetitions}
    index = 0
    while index < len(rows):
        repetition = starts.get(index)
        length = repetition.last - repetition.first + 1 if repetition else 1
        first = len(kept)
        kept.extend(range(index, index + length))
        for block in range(repetition.times if repetition else 1):
            for offset in range(length):
                place[index + block * length + offset] = first + offset
        if repetition:
            shown.append(replace(repetition, first=first, last=first + length - 1))
        index += length * (repetition.times if repetition else 1)
    remaining = tuple(
        replace(rows[each], inputs=tuple(place[source] for source in rows[each].inputs))
        for each in kept
    )
    return remaining, tuple(shown)
