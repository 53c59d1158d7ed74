"""What a converted file says of itself: texts by name, the same in every format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

from tfdpzoo.errors import InputError
from tfdpzoo.privacy import strict_json
from tfdpzoo.privacy.guarantee import PrivacyGuarantee

RECORD = "privacy_guarantee"
WEIGHTS = "weights_sha256"
CLASSES = "classes"
CONVERTER = "converter"
NOTE = "note"

KEYS = (RECORD, WEIGHTS, CLASSES, CONVERTER, NOTE)
"""The names of the texts. A file without class names lacks `classes`."""

_NOTE = (
    "Converted from the SavedModel whose weights have the SHA-256 digest {digest}. The privacy "
    "record speaks of those weights and does not bind the bytes of this file: to check it, run "
    "`tfdpzoo verify` on the SavedModel and compare the outputs of the two on the same images."
)


@dataclass(frozen=True)
class CarriedRecord:
    """The privacy record of the weights that a file was converted from.

    Attributes:
        guarantee: The record.
        class_names: The names of the classes in the order of the logits, if they are known.
        converter: Which programs wrote the file.
    """

    guarantee: PrivacyGuarantee
    class_names: tuple[str, ...] | None
    converter: str

    @property
    def weights_sha256(self) -> str:
        """The digest of the weights that the record speaks of."""
        return str(self.guarantee.provenance.weights_sha256)

    @property
    def note(self) -> str:
        """What the record says of the file, and what it does not."""
        return _NOTE.format(digest=self.weights_sha256)

    def to_entries(self) -> dict[str, str]:
        """Returns the texts that a file carries, by name."""
        entries = {
            RECORD: self.guarantee.to_json(),
            WEIGHTS: self.weights_sha256,
            CONVERTER: self.converter,
            NOTE: self.note,
        }
        if self.class_names is not None:
            entries[CLASSES] = json.dumps(list(self.class_names))
        return entries

    @classmethod
    def from_entries(cls, entries: Mapping[str, str]) -> CarriedRecord:
        """Reads what `to_entries` gave, which may have been altered in any way.

        Args:
            entries: Texts by name; other names are passed over.

        Raises:
            InputError: There is no privacy record, or one that contradicts itself.
        """
        missing = [key for key in KEYS if key != CLASSES and key not in entries]
        if missing:
            raise InputError(f"it carries no privacy record of tfdpzoo: {missing[0]} is missing.")
        guarantee = PrivacyGuarantee.from_json(entries[RECORD])
        carried = cls(guarantee, _class_names(entries.get(CLASSES)), entries[CONVERTER])
        if strict_json.from_text(entries[RECORD])["sentence"] != guarantee.sentence():
            raise InputError("the sentence of its privacy record is not that of the fields.")
        if entries[WEIGHTS] != guarantee.provenance.weights_sha256:
            raise InputError(f"its {WEIGHTS} is not the digest that its privacy record has.")
        return carried


def made_with(*distributions: str) -> str:
    """Names this program and the packages that it converted with, with their versions.

    Args:
        *distributions: The names of the packages.

    Example:
        >>> made_with("keras").startswith("tfdpzoo ")
        True
    """
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("tfdpzoo", *distributions))


def _class_names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = strict_json.from_text(text)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError("its class names are not a list of texts.")
    return tuple(names)
