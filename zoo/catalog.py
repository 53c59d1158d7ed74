"""Finding the zoo's models, building them and reading their recipes.

A model is a folder beside this file whose package holds an `ENTRY`. It is found because it is
there: adding or removing a model touches its folder alone. Nothing here imports TensorFlow before a
model is built or its arguments are looked up.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.recipe import Recipe
from tfdpzoo.settings import typed_value

if TYPE_CHECKING:
    import keras

_PACKAGE = __name__.rpartition(".")[0]
# These follow from the data and from the call, so a recipe cannot set them.
_NOT_ARCHITECTURE = ("input_shape", "classes", "name")


@dataclass(frozen=True)
class ZooEntry:
    """What the catalogue knows of a model.

    Args:
        folder: The model's folder; its name is the model's name, `recipes/*.toml` in it are its
            recipes, `CARD.md` its card.
        description: One sentence for people.
        paper: Authors, title and where to find it.
        load_builder: Imports the architecture and returns its build function, which takes
            `input_shape`, `classes` and the architecture's arguments by keyword.
        default_recipe: The recipe that is used where none is named.
        cpu_recipe: The recipe to propose on a machine without a GPU, where there is one.
    """

    folder: Path
    description: str
    paper: str
    load_builder: Callable[[], Callable[..., keras.Model]]
    default_recipe: str
    cpu_recipe: str | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.folder.name

    @property
    def card(self) -> Path:
        """The model's card, in Markdown."""
        return self.folder / "CARD.md"

    @property
    def recipes(self) -> Mapping[str, Path]:
        """The recipe files by name, the default first, the others in alphabetical order."""
        found = {path.stem: path for path in sorted(self.folder.glob("recipes/*.toml"))}
        first = {self.default_recipe: found[self.default_recipe]}
        return first | found

    def arguments(self) -> dict[str, Any]:
        """Returns the architecture's arguments with their defaults. Imports TensorFlow."""
        parameters = inspect.signature(self.load_builder()).parameters
        return {
            name: parameter.default
            for name, parameter in parameters.items()
            if name not in _NOT_ARCHITECTURE
        }

    def build(
        self, *, input_shape: tuple[int, int, int], classes: int, **arguments: Any
    ) -> keras.Model:
        """Builds the model, as `build` of this module does."""
        known = self.arguments()
        for argument in arguments:
            if argument not in known:
                raise unknown_name(f"argument of {self.name}", argument, known)
        builder = self.load_builder()
        hints = typing.get_type_hints(builder)
        arguments = {
            name: typed_value(name, value, hints.get(name)) for name, value in arguments.items()
        }
        classes = typed_value("classes", classes, int)
        try:
            return builder(input_shape=input_shape, classes=classes, **arguments)
        except InputError:
            raise
        except (TypeError, ValueError, OverflowError) as error:
            given = {"input_shape": input_shape, "classes": classes, **arguments}
            shown = ", ".join(f"{name}={value!r}" for name, value in given.items())
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise InputError(f"{self.name} cannot be built with {shown}: {reason}") from error


def names() -> list[str]:
    """Returns the names of the zoo's models in alphabetical order.

    Example:
        >>> "smoothnet" in names()
        True
    """
    return sorted(_entries())


def entry(name: str) -> ZooEntry:
    """Returns what the catalogue knows of a model.

    Args:
        name: The model's name.

    Returns:
        Its entry.

    Raises:
        InputError: There is no such model; the sentence names the nearest ones.

    Example:
        >>> entry("smoothnet").default_recipe
        'paper'
    """
    entries = _entries()
    if name not in entries:
        raise unknown_name("model", name, entries)
    return entries[name]


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
        model: The model's name.
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
    chosen = Recipe.from_toml(_recipe_path(found, name, dataset))
    if chosen.model != model:
        raise InputError(
            f"The recipe {chosen.name} is for the model {chosen.model!r}, not for {model!r}."
        )
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


def _entries() -> dict[str, ZooEntry]:
    package = importlib.import_module(_PACKAGE)
    entries = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.ispkg:
            found = getattr(importlib.import_module(f"{_PACKAGE}.{module.name}"), "ENTRY", None)
            if found is not None:
                entries[found.name] = found
    return entries
