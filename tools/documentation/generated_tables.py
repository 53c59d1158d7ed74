"""Fills in tables, which are made from the zoo's own files whenever the site is built.

A page has `<!-- table: NAME -->` where a table goes.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Sequence
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
    return _TABLES[name](root)


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
        for cells in (head, ["---"] * len(head), *rows)
    )


def _recipes(root: Path) -> str:
    """Every recipe, in a table for each model."""
    head = ("recipe", "data", "epsilon, delta", "batch", "epochs", "clip norm", "for what")
    return "\n\n".join(
        f"### {entry.name}\n\n{entry.description}: [card](models/{entry.name}.md).\n\n"
        + _lines(head, [_recipe_row(entry, name, path) for name, path in entry.recipes.items()])
        for entry in map(catalog.entry, catalog.names())
    )


def _recipe_row(entry: catalog.ZooEntry, name: str, path: Path) -> Sequence[str]:
    recipe = Recipe.from_toml(path)
    privacy = recipe.privacy
    return (
        f"**`{name}`**" if name == entry.default_recipe else f"`{name}`",
        recipe.dataset,
        f"{privacy.epsilon:g}, {_power(privacy.delta)}",
        f"{privacy.batch_size:,}",
        f"{privacy.epochs:.4g}",
        f"{privacy.clip_norm:g}",
        recipe.description,
    )


def _power(delta: float) -> str:
    """Writes 1e-05 as people do, 1e-5."""
    return re.sub(r"(\.0+)?e-0*", "e-", f"{delta:.2e}")


def _example(root: Path) -> str:
    """The values of one recipe with their sources."""
    recipe = catalog.recipe("smoothnet", "cifar10-cpu")
    return _lines(
        ("key", "value", "where it comes from"),
        [
            (f"`{key}`", f"`{value}`", recipe.sources.get(key, "default"))
            for key, value in recipe.settings().items()
        ],
    )


def _results(root: Path) -> str:
    """The recorded runs whose guarantee is valid."""
    with open(root / "zoo" / "results.csv", encoding="utf-8", newline="") as file:
        valid = [row for row in csv.DictReader(file) if row["guarantee"] == "valid"]
    return _lines(
        ("data", "model, recipe", "parameters", "epsilon, delta", "test accuracy", "updates"),
        [
            (
                row["dataset"],
                f"{row['model']}, `{row['recipe']}`",
                f"{int(row['parameters']):,}",
                f"{float(row['epsilon']):g}, {_power(float(row['delta']))}",
                f"{float(row['accuracy']):.1%}",
                f"{int(row['updates']):,}",
            )
            for row in sorted(valid, key=lambda row: (row["dataset"], row["model"], row["date"]))
        ],
    )


def _schemas(root: Path) -> str:
    """The published schemas."""
    found = sorted(root.glob("schema/*.json"))
    titles = {file.name: json.loads(file.read_text(encoding="utf-8"))["title"] for file in found}
    rows = [(f"[{name}](../schema/{name})", title) for name, title in titles.items()]
    return _lines(("schema", "of what"), rows) if rows else ""


_TABLES: dict[str, Callable[[Path], str]] = {
    "recipes": _recipes,
    "recipe-example": _example,
    "results": _results,
    "schemas": _schemas,
}
