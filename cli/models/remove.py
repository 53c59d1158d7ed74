"""`tfdpzoo models remove`: a version is deleted."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import open_console, print_json, say
from tfdpzoo.errors import InputError
from tfdpzoo.registry.location import locate_registered
from tfdpzoo.registry.reference import ModelReference
from tfdpzoo.registry.removal import remove_version, require_removable

_EXAMPLES = """\b
Examples:
  tfdpzoo models remove smoothnet-digits:1
  tfdpzoo models remove smoothnet-digits:1 --yes
"""


@click.command("remove", epilog=_EXAMPLES)
@options.reference
@options.yes
@options.models
@options.as_json
def remove_model(reference: str, yes: bool, models: Path, as_json: bool) -> None:
    """Delete one version of a trained model, after asking.

    REFERENCE is NAME:VERSION: what is deleted has to be named exactly. A version that an alias
    stands for stays. The number is not used again.
    """
    meant = ModelReference.parse(reference)
    if meant.version is None:
        newest = locate_registered(ModelReference(meant.name), models)
        raise InputError(
            f"{reference} does not say which version; give its number, such as "
            f"{meant.name}:{newest.name}."
        )
    path = locate_registered(meant, models)
    require_removable(path.parent, meant.version)
    if not yes:
        _ask(path)
    remove_version(path.parent, meant.version)
    if as_json:
        print_json({"name": meant.name, "version": meant.version, "removed": str(path)})
    else:
        say(open_console(), f"{meant} is removed; its number is not used again.")


def _ask(path: Path) -> None:
    if not sys.stdin.isatty():
        raise InputError(f"Removing {path} cannot be undone; give --yes where nobody can be asked.")
    click.confirm(f"Delete {path} for ever?", abort=True, err=True)
