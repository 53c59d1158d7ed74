"""What the catalogue knows of a model, and how the model is built from it."""

from __future__ import annotations

import inspect
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
    def card(self) -> Path | None:
        """The model's card, in Markdown; None for a model without one."""
        return self.folder / "CARD.md"

    @property
    def recipes(self) -> Mapping[str, Path]:
        """The recipe files by name, the default first, the others in alphabetical order."""
        found = {path.stem: path for path in sorted(self.folder.glob("recipes/*.toml"))}
        first = {self.default_recipe: found[self.default_recipe]}
        return first | found

    def read_recipe(self, path: str | Path) -> Recipe:
        """Reads a recipe of this model.

        Args:
            path: The recipe's file.

        Raises:
            InputError: The file cannot be used, or its recipe is for another model.
        """
        recipe = Recipe.from_toml(path)
        if recipe.model != self.name:
            raise InputError(
                f"The recipe {recipe.name} is for the model {recipe.model!r}, not for "
                f"{self.name!r}."
            )
        return recipe

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
        """Builds the model.

        Args:
            input_shape: Height, width and channels of an image.
            classes: How many classes there are.
            **arguments: Arguments of the architecture.

        Returns:
            A `keras.Model` from images to logits.

        Raises:
            InputError: An argument is unknown, or a value cannot be used.
        """
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
