"""Fills in tables that are made from the zoo's own files whenever the site is built.

A page has `<!-- table: NAME -->` where a table goes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from tfdpzoo.recipe import Recipe
from tfdpzoo.zoo import catalog

_PLACE = re.compile(r"<!-- table: (\S+) -->")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Puts the tables in their places."""
    root = Path(config.config_file_path).parent
    return _PLACE.sub(lambda found: _table(found[1], root), markdown)


def _table(name: str, root: Path) -> str:
    if name not in _TABLES:
        raise PluginError(f"There is no table named {name!r}; known: {', '.join(_TABLES)}.")
    head, rows = _TABLES[name](root)
    return "\n".join(_lines(head, rows))


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


_Table = tuple[Sequence[str], Iterable[Sequence[str]]]


def _recipes(root: Path) -> _Table:
    """Every recipe of every model."""
    head = ("model", "recipe", "data", "epsilon, delta", "batch, epochs", "clip norm", "for what")
    return head, [
        _recipe_row(name, Recipe.from_toml(path), name == catalog.entry(model).default_recipe)
        for model in catalog.names()
        for name, path in catalog.entry(model).recipes.items()
    ]


def _recipe_row(name: str, recipe: Recipe, default: bool) -> Sequence[str]:
    privacy = recipe.privacy
    return (
        f"[{recipe.model}](models/{recipe.model}.md)",
        f"**`{name}`**" if default else f"`{name}`",
        recipe.dataset,
        f"{privacy.epsilon:g}, {privacy.delta:g}",
        f"{privacy.batch_size:,}, {privacy.epochs:g}",
        f"{privacy.clip_norm:g}",
        recipe.description,
    )


def _example(root: Path) -> _Table:
    """The values of one recipe with their sources."""
    recipe = catalog.recipe("smoothnet", "cifar10-cpu")
    return ("key", "value", "where it comes from"), [
        (f"`{key}`", f"`{value}`", recipe.sources.get(key, "default"))
        for key, value in recipe.settings().items()
    ]


def _results(root: Path) -> _Table:
    """The recorded runs whose guarantee is valid."""
    with open(root / "zoo" / "results.csv", encoding="utf-8", newline="") as file:
        valid = [row for row in csv.DictReader(file) if row["guarantee"] == "valid"]
    return ("data", "model, recipe", "parameters", "epsilon, delta", "test accuracy", "updates"), [
        (
            row["dataset"],
            f"{row['model']}, `{row['recipe']}`",
            f"{int(row['parameters']):,}",
            f"{float(row['epsilon']):g}, {float(row['delta']):g}",
            f"{float(row['accuracy']):.1%}",
            f"{int(row['updates']):,}",
        )
        for row in sorted(valid, key=lambda row: (row["dataset"], row["model"], row["date"]))
    ]


_TABLES: dict[str, Callable[[Path], _Table]] = {
    "recipes": _recipes,
    "recipe-example": _example,
    "results": _results,
}
