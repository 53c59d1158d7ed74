"""A privacy record as tables for people: every field, whatever the record's version has."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tfdpzoo.cards import formatting
from tfdpzoo.privacy import strict_json
from tfdpzoo.privacy.guarantee import PrivacyGuarantee

_LONGEST_LIST = 12
_FIRST = "Results"
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "dp_accounting": "dp-accounting",
        "keras": "Keras",
        "tensorflow": "TensorFlow",
        "tensorflow_privacy": "TensorFlow Privacy",
        "tfdpzoo": "tfdpzoo",
        "weights_sha256": "SHA-256 of the weights",
    }
)


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        title: What it is of.
        head: The names of the columns; empty for pairs of a name and a value.
        rows: The cells.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def record_tables(guarantee: PrivacyGuarantee) -> tuple[Table, ...]:
    """Returns a record as tables: the rows of accounting, then the fields in their order.

    Args:
        guarantee: The record.

    Example:
        >>> from tfdpzoo.privacy.ledger import Segment
        >>> record = PrivacyGuarantee.state(
        ...     segments=[Segment(1.0, 0.02, 100)], delta=1e-5, clip_norm=1.0, examples=50_000,
        ...     expected_batch=1_000, planned_updates=100, target_epsilon=2.0)
        >>> [table.title for table in record_tables(record)][:3]
        ['Results', 'Status', 'Claim']
    """
    return tuple(sorted(_tables(guarantee), key=lambda table: table.title != _FIRST))


def event_text(guarantee: PrivacyGuarantee) -> str:
    """Returns the record's event as JSON, for another accountant."""
    return strict_json.to_text(strict_json.encode(guarantee.event))


def _tables(guarantee: PrivacyGuarantee) -> Iterator[Table]:
    loose: list[tuple[str, str]] = []
    for field in dataclasses.fields(guarantee):
        if field.name == "event":
            continue
        value = getattr(guarantee, field.name)
        if dataclasses.is_dataclass(value):
            yield from _of_record(_label(field.name), value)
        elif _is_list_of_records(value):
            yield _of_list(_label(field.name), value)
        else:
            loose.append((_label(field.name), _text(field.name, value)))
    yield Table("Record", (), tuple(loose))


def _of_record(title: str, record: Any) -> Iterator[Table]:
    """The fields of a part of the record; lists of parts in it get a table of their own."""
    rows, tables = [], []
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        label = _label(field.name)
        if _is_list_of_records(value):
            tables.append(_of_list(f"{title}: {label.lower()}", value))
        elif dataclasses.is_dataclass(value):
            tables.extend(_of_record(f"{title}: {label.lower()}", value))
        else:
            rows.append((label, _text(field.name, value)))
    yield Table(title, (), tuple(rows))
    yield from tables


def _of_list(title: str, records: Sequence[Any]) -> Table:
    names = [field.name for field in dataclasses.fields(records[0])]
    return Table(
        title,
        tuple(map(_label, names)),
        tuple(tuple(_text(name, getattr(each, name)) for name in names) for each in records),
    )


def _is_list_of_records(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and dataclasses.is_dataclass(value[0])


def _label(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    words = name.replace("_", " ").replace("neighboring", "neighbouring")
    return words[:1].upper() + words[1:]


def _text(name: str, value: Any) -> str:
    if value is None:
        return "none stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return _list_text(name, value)
    if isinstance(value, float):
        return _number(name, value)
    return f"{value:,}" if isinstance(value, int) and name != "schema_version" else str(value)


def _list_text(name: str, values: Sequence[Any]) -> str:
    """The values, of a long list those at its ends."""
    separator = "; " if any(isinstance(each, str) for each in values) else ", "
    texts = [_text(name, each) for each in values]
    if not texts:
        return "none"
    if len(texts) > _LONGEST_LIST and separator == ", ":
        half = _LONGEST_LIST // 2
        texts = [*texts[:half], f"… ({len(texts) - 2 * half} more)", *texts[-half:]]
    return separator.join(texts)


def _number(name: str, value: float) -> str:
    if "epsilon" in name:
        return formatting.epsilon(value, digits=4)
    if name == "delta":
        return formatting.delta(value)
    return "infinite" if math.isinf(value) else f"{value:.6g}"
