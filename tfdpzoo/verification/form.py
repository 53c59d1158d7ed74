"""The form of a record: the sentence of its fields, and the one way to write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tfdpzoo.privacy.guarantee import PrivacyGuarantee


def form_problems(
    name: str, fields: Mapping[str, Any], guarantee: PrivacyGuarantee, *, canonical: bool
) -> Iterator[str]:
    """Yields a sentence for what tfdpzoo would have written otherwise.

    Args:
        name: Of the text that holds the record.
        fields: The record as it is written.
        guarantee: The record.
        canonical: Whether the text is, byte for byte, what tfdpzoo writes for it.
    """
    if fields["sentence"] != guarantee.sentence():
        yield f"The record's sentence is not that of its fields: {guarantee.sentence()}"
    elif not canonical:
        yield f"{name} was edited: it is not in the form that tfdpzoo writes."
    elif not all(text.isprintable() for text in _texts(fields)):
        yield "The record holds characters that cannot be seen, which tfdpzoo does not write."


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
