"""`tfdpzoo list`: the architectures and their recipes."""

from __future__ import annotations

from typing import Any

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import columns, open_console, print_json, say
from tfdpzoo.zoo import catalog

_EXAMPLES = """\b
Example:
  tfdpzoo list
"""


@click.command("list", epilog=_EXAMPLES)
@options.as_json
def list_models(as_json: bool) -> None:
    """List the architectures and their recipes.

    These are the models that `tfdpzoo train` can train, of the zoo and of installed packages; a
    file of yours is one as well, see `tfdpzoo train --help`. `tfdpzoo models list` lists the
    trained ones.
    """
    entries, notes = catalog.survey()
    for note in notes:
        say(open_console(stderr=True), note, style="yellow")
    models = [_describe(entry) for entry in entries]
    if as_json:
        print_json(models)
        return
    console = open_console()
    for described in models:
        console.print(f"{described['name']}: {described['description']}", style="bold")
        console.print(_recipes_table(described))
    console.print(
        "\n`tfdpzoo show MODEL` says more about one of them; `tfdpzoo models list` lists what was "
        "trained.",
        style="dim",
    )


def _describe(entry: catalog.ZooEntry) -> dict[str, Any]:
    recipes = [entry.read_recipe(path) for path in entry.recipes.values()]
    return {
        "name": entry.name,
        "description": entry.description,
        "paper": entry.paper,
        "default_recipe": entry.default_recipe,
        "cpu_recipe": entry.cpu_recipe,
        "recipes": [
            {
                "name": recipe.name,
                "dataset": recipe.dataset,
                "epsilon": recipe.privacy.epsilon,
                "delta": recipe.privacy.delta,
                "description": recipe.description,
            }
            for recipe in recipes
        ],
    }


def _recipes_table(described: dict[str, Any]) -> Any:
    rows = [
        (
            f"  {recipe['name']}{' *' if recipe['name'] == described['default_recipe'] else ''}",
            recipe["dataset"],
            f"{recipe['epsilon']:g}",
            recipe["description"],
        )
        for recipe in described["recipes"]
    ]
    head = ("  recipe (* default)", "data set", "epsilon", "")
    return columns(head, rows, right=("epsilon",))
