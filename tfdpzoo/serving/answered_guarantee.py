"""What a served model's answer for its own privacy is worth.

The record's form, its sentence and its arithmetic can be checked from afar. The weights cannot: a
server may hold others than those that the record names. Whoever has the model's folder can compare
them with `tfdpzoo.verification.verify`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.serving.foreign_text import printable

UNSEEN = (
    "the weights behind it cannot be seen from here, so whether the record is theirs was not "
    "checked. `tfdpzoo verify` checks it where the model's folder is."
)


@dataclass(frozen=True)
class AnsweredGuarantee:
    """What was found out about an answer.

    Attributes:
        guarantee: The record, if it could be read.
        problems: One sentence for each thing that is wrong with it.
        recomputed_epsilon: Epsilon by PLD from the record's own updates, if it could be computed.
    """

    guarantee: PrivacyGuarantee | None
    problems: tuple[str, ...]
    recomputed_epsilon: float | None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with the record. It may still say that no guarantee holds."""
        return not self.problems


def check_answer(text: str) -> AnsweredGuarantee:
    """Checks a privacy record as far as it can be without the model; takes seconds.

    Args:
        text: The record's JSON, from anywhere.

    Example:
        >>> check_answer("{}").problems
        ('The privacy record lacks the field sentence, a text.',)
    """
    from tfdpzoo.verification import check_arithmetic

    try:
        guarantee = PrivacyGuarantee.from_json(text)
    except InputError as error:
        return AnsweredGuarantee(None, (printable(str(error)),), None)
    epsilon, miscalculated = check_arithmetic(guarantee)
    problems = [*_problems_of_form(text, guarantee), *miscalculated]
    return AnsweredGuarantee(guarantee, tuple(map(printable, problems)), epsilon)


def _problems_of_form(text: str, guarantee: PrivacyGuarantee) -> Iterator[str]:
    if text != guarantee.to_json():
        yield (
            "The record is not in the form that tfdpzoo writes: its sentence or its layout was "
            "edited."
        )
    if not all(each.isprintable() for each in _texts(guarantee.to_fields())):
        yield "The record holds characters that cannot be seen, which tfdpzoo does not write."
    if not guarantee.provenance.weights_sha256:
        yield "The record names no weights that it is about: it lacks their digest."


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
