"""`tfdpzoo card`: a model's card, in Markdown or HTML."""

from __future__ import annotations

from pathlib import Path

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import open_console, print_json, say

_EXAMPLES = """\b
Examples:
  tfdpzoo card smoothnet-digits
  tfdpzoo card smoothnet-digits:2 --format html --out card.html
  tfdpzoo card smoothnet-digits@champion --license apache-2.0
"""


@click.command(epilog=_EXAMPLES)
@options.reference
@options.models
@options.card_format
@options.licence
@options.card_out
@options.as_json
def card(
    reference: str,
    models: Path,
    card_format: str,
    licence: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write the card of a model: what it is, how good, and what its guarantee says.

    REFERENCE is NAME, NAME:VERSION or NAME@ALIAS of a registered model, or the path of a model. The
    model is verified first; a card is written only of one that is intact.
    """
    # What cannot be used is refused before TensorFlow is imported.
    from tfdpzoo.registry.location import locate
    from tfdpzoo.version_folder import check_destination

    folder = locate(reference, models)
    if out is not None:
        check_destination(out)
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from tfdpzoo.cards.context import read_card
    from tfdpzoo.cards.files import default_place, write_card
    from tfdpzoo.cli.architecture_notes import notes_of

    facts = read_card(folder, notes_of)
    out = out or default_place(facts, card_format)
    written = write_card(facts, card_format, out, licence)
    guarantee = facts.guarantee
    if as_json:
        print_json(
            {
                "path": str(written),
                "format": card_format,
                "model": str(facts.folder),
                "valid": guarantee.valid,
                "epsilon": guarantee.epsilon,
                "delta": guarantee.delta,
            }
        )
        return
    console = open_console()
    say(console, f"The card of {facts.title} is in {written}.", style="green")
    say(console, guarantee.sentence(), style="bold" if guarantee.valid else "bold red")
