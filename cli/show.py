"""`tfdpzoo show`: one model, its layers and where each number of its recipes comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import columns, facts, open_console, print_json, say
from tfdpzoo.cli.model_notes import tell_note_on
from tfdpzoo.dimension import Dimension
from tfdpzoo.recipe import Recipe
from tfdpzoo.zoo import catalog

if TYPE_CHECKING:
    import keras
    from rich.console import Console

# For a recipe whose data set has no published size.
_USUAL_SHAPE = (32, 32, 3)
_USUAL_CLASSES = 10

_EXAMPLES = """\b
Examples:
  tfdpzoo show smoothnet
  tfdpzoo show smoothnet --recipe mnist
  tfdpzoo show nets/my_net.py:build
"""


@click.command(epilog=_EXAMPLES)
@options.model
@options.recipe
@options.as_json
def show(model: str, recipe_name: str | None, as_json: bool) -> None:
    """Show an architecture's layers and where its recipes' numbers come from.

    MODEL is one of `tfdpzoo list`, or path/to/file.py:build for a network of your own. Trained
    models are shown by `tfdpzoo models show`.
    """
    tell_note_on(model)
    entry = catalog.entry(model)
    recipe = catalog.recipe(model, recipe_name)
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow

    start_tensorflow()
    input_shape, classes = _size(recipe)
    network = entry.build(input_shape=input_shape, classes=classes, **recipe.architecture)
    _let_build(network, input_shape)
    if as_json:
        print_json(_fields(entry, recipe, network))
        return
    console = open_console()
    _print_model(console, entry, recipe, network)
    _print_recipe(console, entry, recipe)
    others = [name for name in entry.recipes if name != recipe.name]
    if others:
        say(
            console,
            f"\nOther recipes, for `tfdpzoo show {model} --recipe NAME`: {', '.join(others)}.",
            style="dim",
        )


def _let_build(network: keras.Model, input_shape: tuple[int, int, int]) -> None:
    """A model that is a class of its own may have no weights before it has seen an image."""
    import keras

    if not network.built:
        network(keras.Input(input_shape))


def _size(recipe: Recipe) -> tuple[tuple[int, int, int], int]:
    from tfdpzoo.data.published import published_size

    size = published_size(recipe.dataset, recipe.image_size)
    if size is None or size.input_shape is None:
        return _USUAL_SHAPE, _USUAL_CLASSES
    return size.input_shape, size.classes


def _values(entry: catalog.ZooEntry, recipe: Recipe) -> list[dict[str, Any]]:
    """Every value with its source: the recipe's, and the defaults of what it does not set."""
    defaults = {
        f"architecture.{name}": value
        for name, value in entry.arguments().items()
        if name not in recipe.architecture
    }
    settings = recipe.settings()
    # The architecture's own values stay together.
    keys = sorted([*settings, *defaults], key=lambda key: not key.startswith("architecture."))
    return [
        {
            "key": key,
            "value": settings.get(key, defaults.get(key)),
            "source": recipe.sources.get(key, "default"),
        }
        for key in keys
    ]


def _searched(recipe: Recipe) -> list[dict[str, Any]]:
    """What `tfdpzoo tune` varies, with the source of each range."""
    return [
        {"key": key, **dimension.to_table(), "source": recipe.sources.get(f"tune.{key}", "")}
        for key, dimension in recipe.tune.items()
    ]


def _layers(network: keras.Model) -> list[dict[str, Any]]:
    return [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": _output_shape(layer),
            "parameters": layer.count_params(),
        }
        for layer in network.layers
    ]


def _output_shape(layer: keras.Layer) -> list[int]:
    """Empty where it is not known, as in a model that is a class of its own."""
    try:
        return list(layer.output.shape[1:])
    except (AttributeError, ValueError):
        return []


def _fields(entry: catalog.ZooEntry, recipe: Recipe, network: keras.Model) -> dict[str, Any]:
    size = _size(recipe)
    recipes = [entry.read_recipe(path) for path in entry.recipes.values()]
    return {
        "name": entry.name,
        "description": entry.description,
        "paper": entry.paper,
        "card": None if entry.card is None else str(entry.card),
        "recipe": recipe.name,
        "input_shape": list(size[0]),
        "classes": size[1],
        "parameters": network.count_params(),
        "layers": _layers(network),
        "recipes": {
            each.name: {
                "description": each.description,
                "default": each.name == entry.default_recipe,
                "values": _values(entry, each),
                "searched": _searched(each),
            }
            for each in [*recipes, recipe]
        },
    }


def _print_model(
    console: Console, entry: catalog.ZooEntry, recipe: Recipe, network: keras.Model
) -> None:
    input_shape, classes = _size(recipe)
    rows = [
        *([("paper", entry.paper)] if entry.paper else []),
        *([("card", str(entry.card))] if entry.card else []),
        (
            "network",
            f"{network.count_params():,} parameters for images of "
            f"{_times(input_shape)} and {classes} classes "
            f"(recipe {recipe.name})",
        ),
    ]
    say(console, f"{entry.name}: {entry.description}", style="bold")
    console.print(facts(rows))
    console.print()
    layers = [
        (
            layer["name"],
            layer["type"],
            _times(layer["output_shape"]),
            f"{layer['parameters']:,}" if layer["parameters"] else "",
        )
        for layer in _layers(network)
    ]
    console.print(columns(("layer", "type", "output", "parameters"), layers, ("parameters",)))


def _print_recipe(console: Console, entry: catalog.ZooEntry, recipe: Recipe) -> None:
    default = ", the default" if recipe.name == entry.default_recipe else ""
    console.print(f"\nRecipe {recipe.name}{default}: {recipe.description}", style="bold")
    rows = [(each["key"], _shown(each["value"]), each["source"]) for each in _values(entry, recipe)]
    console.print(columns(("key", "value", "source"), rows))
    if recipe.tune:
        console.print("\nSearched by `tfdpzoo tune`:", style="bold")
        console.print(columns(("key", "values", "source"), _rows_of_searched(recipe)))


def _rows_of_searched(recipe: Recipe) -> list[tuple[str, str, str]]:
    return [
        (key, searched_range(dimension), recipe.sources.get(f"tune.{key}", ""))
        for key, dimension in recipe.tune.items()
    ]


def searched_range(dimension: Dimension) -> str:
    """Returns the values of a searched setting for people, such as `0.5 to 8, log`."""
    if dimension.values is not None:
        return ", ".join(map(_shown, dimension.values))
    step = "" if dimension.step is None else f", step {_shown(dimension.step)}"
    scale = "" if dimension.sampling == "linear" else f", {dimension.sampling}"
    return f"{_shown(dimension.minimum)} to {_shown(dimension.maximum)}{step}{scale}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _times(shape: Any) -> str:
    return " x ".join(map(str, shape))
