"""`tfdpzoo serve-config`: how TensorFlow Serving is told what to serve, and how it is started."""

from __future__ import annotations

from pathlib import Path

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import open_console, print_json, say

_EXAMPLES = """\b
Examples:
  tfdpzoo serve-config
  tfdpzoo serve-config smoothnet-digits@champion --out champion.config
"""


@click.command("serve-config", epilog=_EXAMPLES)
@options.references
@options.models
@options.configuration_file
@options.as_json
def serve_config(references: tuple[str, ...], models: Path, out: Path, as_json: bool) -> None:
    """Write TensorFlow Serving's models.config and print the command that starts it.

    REF is NAME, NAME:VERSION or NAME@ALIAS of a registered model; without any, all are served.
    Aliases become labels, which clients can ask for in place of a version.
    """
    from tfdpzoo.serving.configuration import (
        configuration_text,
        served_versions,
        write_configuration,
    )
    from tfdpzoo.serving.docker import docker_command

    served = served_versions(references, models)
    write_configuration(out, configuration_text(served))
    command = docker_command(models, out, labels=any(each.labels for each in served))
    if as_json:
        print_json(
            {
                "path": str(out),
                "models": [
                    {"name": each.name, "versions": each.versions, "labels": dict(each.labels)}
                    for each in served
                ],
                "command": command,
            }
        )
        return
    console = open_console(stderr=True)
    say(console, f"Wrote {out}:", style="bold")
    for each in served:
        versions = ", ".join(map(str, each.versions)) or "the newest, also one that comes later"
        labels = "".join(f", {label} = {version}" for label, version in each.labels)
        say(console, f"- {each.name}: {versions}{labels}")
    if any(each.versions for each in served):
        say(console, "Listed versions stay: run this again when another is to be served.")
    say(console, "Start the server with")
    click.echo(command)
