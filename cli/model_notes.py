"""What has to be said of a model's name before the model is used."""

from __future__ import annotations

from tfdpzoo.cli.console import open_console, say
from tfdpzoo.zoo import catalog


def tell_note_on(model: str) -> None:
    """Tells on stderr if an installed package offers another model of this name.

    Args:
        model: The model's name.
    """
    note = catalog.note_on(model)
    if note is not None:
        say(open_console(stderr=True), note, style="yellow")
