"""Finding models, building them and reading their recipes.

A model of the zoo is a folder beside this file whose package holds an `ENTRY`. It is found because
it is there: adding or removing a model touches its folder alone. Other packages add models
(`tfdpzoo.zoo.plugins`), and a file with a build function is one as well
(`tfdpzoo.zoo.own_models`). Nothing here imports TensorFlow before a model is built or its arguments
are looked up, unless another package does.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.recipe import Recipe
from tfdpzoo.zoo import plugins
from tfdpzoo.zoo.own_models import OwnModel
from tfdpzoo.zoo.zoo_entry import ZooEntry

if TYPE_CHECKING:
    import keras

_PACKAGE = __name__.rpartition(".")[0]

__all__ = ["ZooEntry", "build", "builder", "entry", "names", "note_on", "recipe", "survey"]


def names() -> list[str]:
    """Returns the names of the models of the zoo and of other packages, in alphabetical order.

    Example:
        >>> "smoothnet" in names()
        True
    """
    return sorted({*_entries(), *(each.name for each in plugins.plugins())})


def survey() -> tuple[list[ZooEntry], list[str]]:
    """Returns all models that can be used, and what is wrong with the others.

    Returns:
        The entries in alphabetical order, and a sentence for each model of another package that
        cannot be used.
    """
    own = _entries()
    others, notes = plugins.load_plugins(own)
    return sorted([*own.values(), *others], key=lambda each: each.name), notes


def note_on(name: str) -> str | None:
    """Returns a sentence if another package offers a model under a name that the zoo itself has.

    Args:
        name: A model's name.
    """
    return plugins.note_on(name, _entries())


def entry(name: str) -> ZooEntry:
    """Returns what the catalogue knows of a model.

    Args:
        name: The model's name, or `path/to/file.py:function` for a model of one's own.

    Returns:
        Its entry.

    Raises:
        InputError: There is no such model; the sentence names the nearest ones. Or the package that
            offers it cannot be used.

    Example:
        >>> entry("smoothnet").default_recipe
        'paper'
    """
    entries = _entries()
    if name in entries:
        return entries[name]
    own = OwnModel.parse(name)
    if own is not None:
        return _entry_of_file(own)
    found = plugins.plugin(name)
    if found is not None:
        return found.load()
    error = unknown_name("model", name, names())
    raise InputError(f"{error} Trained models are listed by `tfdpzoo models list`.")


def build(
    name: str, *, input_shape: tuple[int, int, int], classes: int, **arguments: Any
) -> keras.Model:
    """Builds a model of the zoo.

    Args:
        name: The model's name.
        input_shape: Height, width and channels of an image.
        classes: How many classes there are.
        **arguments: Arguments of the architecture; `entry(name).arguments()` lists them.

    Returns:
        A `keras.Model` from images to logits.

    Raises:
        InputError: The model or an argument is unknown, or a value cannot be used.

    Example:
        >>> model = build("smoothnet", input_shape=(32, 32, 3), classes=10, width=8, depth=1)
        >>> model.count_params()
        601069
    """
    return entry(name).build(input_shape=input_shape, classes=classes, **arguments)


def builder(name: str) -> Callable[..., keras.Model]:
    """Returns what builds a model, as `entry(name).build`.

    Args:
        name: The model's name, or `path/to/file.py:function`.

    Raises:
        InputError: The model is unknown.
    """
    return entry(name).build


def recipe(
    model: str,
    name: str | None = None,
    dataset: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Recipe:
    """Reads a recipe of a model.

    Without a name it is the model's default recipe, or the recipe named like the data set where the
    data set is not the default recipe's and there is one.

    Args:
        model: The model's name, or `path/to/file.py:function`.
        name: The recipe's name, or the path of a recipe file, which ends in `.toml`.
        dataset: The data set to train on in place of the recipe's.
        overrides: Further values in place of the recipe's, as `Recipe.with_overrides` takes them.

    Returns:
        The recipe, with the data set and the overrides in it.

    Raises:
        InputError: The model, the recipe or a key is unknown, the file belongs to another model, or
            a value cannot be used.

    Example:
        >>> recipe("smoothnet").name, recipe("smoothnet", dataset="mnist").name
        ('paper', 'mnist')
        >>> recipe("smoothnet", overrides={"epsilon": "3"}).privacy.epsilon
        3.0
    """
    found = entry(model)
    chosen = found.read_recipe(_recipe_path(found, name, dataset))
    if dataset is not None and dataset != chosen.dataset:
        chosen = chosen.with_overrides({"dataset": dataset})
    if not overrides:
        return chosen
    return chosen.with_overrides(overrides, architecture_arguments=found.arguments())


def _recipe_path(found: ZooEntry, name: str | None, dataset: str | None) -> Path:
    recipes = found.recipes
    if name is not None:
        if name in recipes:
            return recipes[name]
        if name.endswith(".toml"):
            return Path(name)
        raise unknown_name(f"recipe of {found.name}", name, recipes)
    default = recipes[found.default_recipe]
    if dataset is not None and dataset in recipes and dataset != Recipe.from_toml(default).dataset:
        return recipes[dataset]
    return default


def _entry_of_file(own: OwnModel) -> ZooEntry:
    if own.name in names():
        raise InputError(
            f"{own.file} would be called {own.name!r}, which is another model's name; rename the "
            "file."
        )
    return own.entry()


def _entries() -> dict[str, ZooEntry]:
    package = importlib.import_module(_PACKAGE)
    entries = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.ispkg:
            found = getattr(importlib.import_module(f"{_PACKAGE}.{module.name}"), "ENTRY", None)
            if found is not None:
                entries[found.name] = found
    return entries
