"""What the zoo's own cards say of an architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfdpzoo.cards.architecture_notes import ArchitectureNotes


def notes_of(architecture: str) -> ArchitectureNotes | None:
    """Returns what is written of an architecture; None for one that is not of the zoo.

    Args:
        architecture: Its name.
    """
    from tfdpzoo.cards.architecture_notes import ArchitectureNotes
    from tfdpzoo.zoo import catalog

    if architecture not in catalog.names():
        return None
    card = catalog.entry(architecture).card
    if card is None or not card.is_file():
        return None
    return ArchitectureNotes.parse(card.read_text(encoding="utf-8"))
