"""`tfdpzoo models compare`: two versions side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import columns, open_console, print_json, say
from tfdpzoo.cli.models.cells import rounded_epsilon
from tfdpzoo.privacy.statement import scientific
from tfdpzoo.registry.location import locate

if TYPE_CHECKING:
    from tfdpzoo.registry.comparison import ComparedFact

_EXAMPLES = """\b
Examples:
  tfdpzoo models compare smoothnet-digits:1 smoothnet-digits:2
  tfdpzoo models compare smoothnet-digits@champion runs/other/1 --json
"""
_DIFFERS = "<>"


@click.command("compare", epilog=_EXAMPLES)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@options.models
@options.as_json
def compare_models(first: str, second: str, models: Path, as_json: bool) -> None:
    """Compare two trained models: guarantee, accuracy, size and recipe.

    A and B are NAME (the newest version), NAME:VERSION or NAME@ALIAS, or paths. What differs is
    marked with <>.
    """
    paths = [locate(first, models), locate(second, models)]
    # The privacy records take a second to import.
    from tfdpzoo.registry.comparison import compare

    compared = compare(*paths)
    if as_json:
        print_json(
            {
                "first": str(paths[0]),
                "second": str(paths[1]),
                "facts": [
                    {
                        "name": each.name,
                        "first": each.first,
                        "second": each.second,
                        "differs": each.differs,
                    }
                    for each in compared
                ],
            }
        )
        return
    console = open_console()
    rows = [
        (
            each.name,
            _shown(each.name, each.first),
            _DIFFERS if each.differs else "",
            _shown(each.name, each.second),
        )
        for each in compared
    ]
    console.print(columns(("", str(paths[0]), "", str(paths[1])), rows))
    say(console, _summary(compared), style="dim")


def _summary(compared: list[ComparedFact]) -> str:
    differing = sum(each.differs for each in compared)
    return f"{differing} of {len(compared)} facts differ; `tfdpzoo verify` checks them."


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name == "epsilon":
        return rounded_epsilon(value)
    if name == "delta":
        return scientific(value)
    if name == "accuracy":
        return f"{value:.2%}"
    if name == "weights":
        return f"{value[:16]}..."
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
