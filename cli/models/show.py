"""`tfdpzoo models show`: one registered version."""

from __future__ import annotations

from pathlib import Path

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import facts, open_console, print_json, say
from tfdpzoo.cli.models.cells import (
    accuracy_cell,
    parameters_cell,
    rounded_epsilon,
    version_fields,
)
from tfdpzoo.foreign_text import printable
from tfdpzoo.privacy.statement import scientific
from tfdpzoo.registry.index import registered_version
from tfdpzoo.registry.location import locate

_EXAMPLES = """\b
Examples:
  tfdpzoo models show smoothnet-digits
  tfdpzoo models show smoothnet-digits@champion --json
"""


@click.command("show", epilog=_EXAMPLES)
@options.reference
@options.models
@options.as_json
def show_version(reference: str, models: Path, as_json: bool) -> None:
    """Show one trained model: its guarantee, its accuracy, where it comes from.

    REFERENCE is NAME (the newest version), NAME:VERSION or NAME@ALIAS, or a path. What is shown is
    what the version's own files say; `tfdpzoo verify` checks it. Architectures are shown by
    `tfdpzoo show`.
    """
    path = locate(reference, models)
    # The privacy records take a second to import.
    from tfdpzoo.version_folder import read_privacy_file

    version = registered_version(path)
    guarantee = read_privacy_file(path).guarantee
    its = version.facts
    if as_json or its is None:
        print_json({**version_fields(version), "sentence": guarantee.sentence()})
        return
    console = open_console()
    say(console, version.reference if version.version else str(path), style="bold")
    rows = [
        ("folder", f"{path}"),
        ("aliases", ", ".join(version.aliases) or "none"),
        ("recorded epsilon", f"{rounded_epsilon(its.epsilon, 4)} at delta {scientific(its.delta)}"),
        ("accuracy", f"{accuracy_cell(its)} on test images"),
        ("parameters", parameters_cell(its)),
        ("network", its.model or "-"),
        ("recipe", its.recipe or "-"),
        ("data set", its.dataset or "-"),
        ("date", its.date),
        ("digest", f"{its.digest} (SHA-256 of privacy.json)"),
    ]
    console.print(facts(rows))
    say(console, printable(guarantee.sentence()), style="bold" if guarantee.valid else "bold red")
    say(console, f"This is what its files say; check them with: tfdpzoo verify {path}", style="dim")
