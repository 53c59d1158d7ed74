"""`tfdpzoo models list`: the registered versions, filtered and sorted."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from tfdpzoo.cli import options
from tfdpzoo.cli.console import columns, open_console, print_json, say
from tfdpzoo.cli.models.cells import (
    accuracy_cell,
    date_cell,
    epsilon_cell,
    parameters_cell,
    version_fields,
)
from tfdpzoo.registry.index import RegisteredVersion, registered_versions
from tfdpzoo.registry.selection import SORT_KEYS, Selection

_EXAMPLES = """\b
Examples:
  tfdpzoo models list
  tfdpzoo models list --dataset cifar10 --max-epsilon 3 --sort accuracy --reverse
"""


@click.command("list", epilog=_EXAMPLES)
@options.models
@click.option(
    "--max-epsilon", type=float, metavar="E", help="Only valid guarantees of at most this epsilon."
)
@click.option("--min-accuracy", type=float, metavar="A", help="On test images, from 0 to 1.")
@click.option("--max-parameters", type=int, metavar="N", help="Only networks of at most this size.")
@click.option("--dataset", metavar="NAME", help="Only models that were trained on this data set.")
@click.option("--valid", is_flag=True, help="Only versions whose guarantee is valid.")
@click.option(
    "--sort",
    type=click.Choice(SORT_KEYS),
    default=SORT_KEYS[0],
    show_default=True,
    help="What is sorted by, the smallest first; what is not known comes last.",
)
@click.option("--reverse", is_flag=True, help="The largest first.")
@options.as_json
def list_versions(
    models: Path,
    max_epsilon: float | None,
    min_accuracy: float | None,
    max_parameters: int | None,
    dataset: str | None,
    valid: bool,
    sort: str,
    reverse: bool,
    as_json: bool,
) -> None:
    """List the trained models.

    The numbers are what the versions' own files say; `tfdpzoo verify` checks them. The column
    epsilon has the delta beside it. Versions that cannot be read are named below the table.
    """
    selection = Selection(max_epsilon, min_accuracy, max_parameters, dataset, valid)
    found = registered_versions(models)
    chosen = selection.sorted(found, sort, reverse=reverse)
    unreadable = [each for each in found if each.problem is not None]
    if as_json:
        print_json(
            {
                "models": [version_fields(each) for each in chosen],
                "unreadable": [version_fields(each) for each in unreadable],
            }
        )
        return
    console = open_console()
    if not found:
        say(console, f"There are no models in {models}; `tfdpzoo train` and `register` add some.")
    elif chosen:
        _print_table(console, chosen)
    else:
        say(console, f"None of the {len(found):,} versions in {models} is such.")
    for each in unreadable:
        say(console, f"{each.reference}: {each.problem}", style="yellow")


def _print_table(console: Console, chosen: list[RegisteredVersion]) -> None:
    rows = [
        (
            each.reference,
            ", ".join(each.aliases),
            epsilon_cell(each.facts),
            accuracy_cell(each.facts),
            parameters_cell(each.facts),
            each.facts.model or "-",
            each.facts.dataset or "-",
            date_cell(each.facts),
        )
        for each in chosen
        if each.facts is not None
    ]
    head = ("model", "aliases", "epsilon", "accuracy", "parameters", "network", "data set", "date")
    console.print(columns(head, rows, right=("epsilon", "accuracy", "parameters")))
