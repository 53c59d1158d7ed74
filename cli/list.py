"""`tfdpzoo list`: the models and their recipes."""

from __future__ import annotations

from typing import Any

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import columns, open_console, print_json
from tfdpzoo.recipe import Recipe
from tfdpzoo.zoo import catalog

_EXAMPLES = """\b
Example:
  tfdpzoo list
"""


@click.command("list", epilog=_EXAMPLES)
@options.as_json
def list_models(as_json: bool) -> None:
    """List the models and their recipes."""
    models = [_describe(catalog.entry(name)) for name in catalog.names()]
    if as_json:
        print_json(models)
        return
    console = open_console()
    for described in models:
        console.print(f"{described['name']}: {described['description']}", style="bold")
        console.print(_recipes_table(described))
    console.print("\n`tfdpzoo show MODEL` says more about one of them.", style="dim")


def _describe(entry: catalog.ZooEntry) -> dict[str, Any]:
    recipes = [Recipe.from_toml(path) for path in entry.recipes.values()]
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
