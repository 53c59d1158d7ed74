"""`tfdpzoo doctor`: what is wrong with this machine?"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from tfdpzoo.cli import exits, options
from tfdpzoo.cli.console import busy, open_console, print_json

_EXAMPLES = """\b
Examples:
  tfdpzoo doctor
  tfdpzoo doctor --data-dir ~/tensorflow_datasets --json
"""

_SAVED_MODELS = Path("saved_models")
_STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}


@click.command(epilog=_EXAMPLES)
@options.data_dir
@options.runs
@options.as_json
@click.pass_context
def doctor(context: click.Context, data_dir: Path | None, runs: Path, as_json: bool) -> None:
    """Look at versions, GPU, data, disk and known traps, and say what to do.

    Nothing is changed. Each line is ok, a note, or a problem with its fix. Exits with 1 if there is
    a problem.
    """
    from rich.table import Table
    from rich.text import Text

    from tfdpzoo.diagnosis.diagnose import diagnose
    from tfdpzoo.diagnosis.finding import Status

    console = open_console(stderr=as_json)
    with busy(console, "looking"):
        found = list(diagnose(data_dir=data_dir, runs=runs, models=_SAVED_MODELS))
    if as_json:
        print_json([dataclasses.asdict(each) for each in found])
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, style="dim")
        table.add_column(overflow="fold")
        for each in found:
            text = each.text if each.fix is None else f"{each.text}\nfix: {each.fix}"
            status = Text(each.status.value, style=_STYLES[each.status.value])
            table.add_row(status, each.subject, text)
        console.print(table)
    if any(each.status is Status.PROBLEM for each in found):
        context.exit(exits.PROBLEM_FOUND)
