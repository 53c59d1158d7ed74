"""`tfdpzoo models alias`: names that versions go by."""

from __future__ import annotations

from pathlib import Path

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import open_console, print_json, say
from tfdpzoo.errors import InputError
from tfdpzoo.registry.aliases import remove_alias, set_alias
from tfdpzoo.registry.location import locate_registered, model_folder
from tfdpzoo.registry.reference import ModelReference

_EXAMPLES = """\b
Examples:
  tfdpzoo models alias smoothnet-digits:2 champion
  tfdpzoo models alias smoothnet-digits champion --remove
"""


@click.command("alias", epilog=_EXAMPLES)
@options.reference
@click.argument("alias")
@click.option("--remove", is_flag=True, help="Remove the alias; the version stays.")
@options.models
@options.as_json
def alias_model(reference: str, alias: str, remove: bool, models: Path, as_json: bool) -> None:
    """Let a version go by the name ALIAS, whatever went by it before.

    REFERENCE is NAME (the newest version), NAME:VERSION or NAME@ALIAS. From then on NAME@ALIAS
    means that version in every command.
    """
    meant = ModelReference.parse(reference)
    if remove:
        if meant.version is not None or meant.alias is not None:
            raise InputError(f"An alias is removed from a model: give {meant.name} alone.")
        version = remove_alias(model_folder(meant.name, models), alias)
        said = f"{meant.name} has no alias {alias} any more."
    else:
        path = locate_registered(meant, models)
        version = int(path.name)
        set_alias(path.parent, alias, version)
        said = f"{meant.name}:{version} is {meant.name}@{alias} now."
    if as_json:
        print_json({"name": meant.name, "alias": alias, "version": version, "removed": remove})
    else:
        say(open_console(), said)
