"""What the zoo's own cards say of an architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfdpzoo.errors import InputError

if TYPE_CHECKING:
    from tfdpzoo.cards.architecture_notes import ArchitectureNotes


def notes_of(architecture: str) -> ArchitectureNotes | None:
    """Returns what is written of an architecture; None for one that nothing is known of.

    A package that offered it and cannot be used any more must not keep a trained model's card from
    being made.

    Args:
        architecture: Its name.
    """
    from tfdpzoo.cards.architecture_notes import ArchitectureNotes
    from tfdpzoo.zoo import catalog

    if architecture not in catalog.names():
        return None
    try:
        card = catalog.entry(architecture).card
    except InputError:
        return None
    if card is None or not card.is_file():
        return None
    return ArchitectureNotes.parse(card.read_text(encoding="utf-8"))
