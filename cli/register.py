"""`tfdpzoo register`: a SavedModel from anywhere becomes a version of a registered model."""

from __future__ import annotations

from pathlib import Path

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import busy, open_console, print_json, say
from tfdpzoo.registry.aliases import set_alias
from tfdpzoo.registry.location import locate
from tfdpzoo.registry.reference import require_name

_EXAMPLES = """\b
Examples:
  tfdpzoo register runs/elsewhere/1 --name smoothnet-digits
  tfdpzoo register smoothnet-digits:3 --name production --alias champion
"""


@click.command(epilog=_EXAMPLES)
@click.argument("path")
@click.option(
    "--name", required=True, metavar="NAME", help="The model's name; it gets the next version."
)
@options.alias
@options.models
@options.as_json
def register(path: str, name: str, alias: str | None, models: Path, as_json: bool) -> None:
    """Copy a SavedModel with a valid privacy record among the registered models.

    PATH is a version's folder or a model's folder, of which the newest version is taken, or a
    registered model as NAME, NAME:VERSION or NAME@ALIAS. The copy is verified before it becomes a
    version, which is never changed afterwards. Whatever `tfdpzoo train` writes to saved_models is
    registered already.
    """
    require_name("model", name)
    if alias is not None:
        require_name("alias", alias)
    source = locate(path, models)
    from tfdpzoo.registry.registration import check_record

    # What has no record is refused before TensorFlow is imported.
    check_record(source)
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from tfdpzoo.registry.registration import register as register_model

    console = open_console(stderr=as_json)
    with busy(console, f"verifying {source}"):
        registered = register_model(source, name, models)
    version = int(registered.name)
    if alias is not None:
        set_alias(registered.parent, alias, version)
    if as_json:
        print_json({"name": name, "version": version, "alias": alias, "path": str(registered)})
        return
    say(console, f"{source} is verified and registered as {name}:{version}.", style="green")
    if alias is not None:
        say(console, f"{name}:{version} is {name}@{alias} now.")
