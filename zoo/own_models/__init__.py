"""Models of your own, which need no package: a build function in a file.

`tfdpzoo train path/to/my_net.py:build` takes the function `build` of that file, with the signature

    def build(*, input_shape, classes, **arguments) -> keras.Model

`input_shape` is (height, width, channels), the model goes from images to logits, and `arguments`
are what a recipe's table `architecture` may set. The file stands alone: it imports what is
installed and not its neighbours, so that a copy in the run's folder is all that a run needs to go
on. The model is named like the file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import re
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdpzoo.errors import InputError, require_utf8, unknown_name
from tfdpzoo.recipe import Recipe
from tfdpzoo.zoo.zoo_entry import ZooEntry

if TYPE_CHECKING:
    import keras

DEFAULT_RECIPE = "own-model"

_FOLDER = Path(__file__).parent
_SUFFIX = ".py"
_LONGEST_NAME = 60
_REQUIRED = ("input_shape", "classes")


@dataclass(frozen=True)
class OwnModel:
    """A build function in a file.

    Attributes:
        file: The file.
        function: The name of the function.
    """

    file: Path
    function: str

    @classmethod
    def parse(cls, text: str) -> OwnModel | None:
        """Reads `path/to/file.py:function`; None where the text names no file of Python.

        Raises:
            InputError: The function is missing or can be none.

        Example:
            >>> OwnModel.parse("nets/my_net.py:build").function
            'build'
            >>> OwnModel.parse("smoothnet") is None
            True
        """
        path, _, function = text.rpartition(":")
        if not path.endswith(_SUFFIX):
            if not text.endswith(_SUFFIX):
                return None
            path, function = text, ""
        require_utf8("The model", text)
        if not function.isidentifier():
            raise InputError(
                f"{text!r} does not say which function builds the model; write {path}:build."
            )
        return cls(Path(path), function)

    @property
    def name(self) -> str:
        """The model's name: that of the file, as it can be the name of a folder."""
        name = re.sub(r"[^A-Za-z0-9_]+", "-", self.file.stem).strip("-_")[:_LONGEST_NAME]
        return name or DEFAULT_RECIPE

    @property
    def label(self) -> str:
        """How errors of the function are headed: a run's copy lies in a folder that may go."""
        return f"{self.file.name}:{self.function}"

    def entry(self) -> ZooEntry:
        """Returns what the catalogue would know of the model; runs nothing.

        Raises:
            InputError: There is no such file.
        """
        if not self.file.is_file():
            raise InputError(f"There is no file {self.file}.")
        return _OwnEntry(
            folder=_FOLDER,
            description=f"the function {self.function} of {self.file}",
            paper="",
            load_builder=self.load_builder,
            default_recipe=DEFAULT_RECIPE,
            own=self,
        )

    def load_builder(self) -> Callable[..., keras.Model]:
        """Runs the file and returns its function.

        Raises:
            InputError: The file cannot be read or run, or has no such function, or it does not take
                the arguments that it must.
        """
        builder = self.load_function()
        parameters = inspect.signature(builder).parameters.values()
        taken = {each.name for each in parameters if each.kind in _BY_KEYWORD}
        anything = any(each.kind is each.VAR_KEYWORD for each in parameters)
        for name in _REQUIRED:
            if name not in taken and not anything:
                raise InputError(
                    f"The function {self.function} of {self.file} does not take {name!r} by "
                    "keyword; its signature must be build(*, input_shape, classes, **arguments)."
                )
        return builder

    def load_function(self) -> Callable[..., Any]:
        """Runs the file and returns its function, whatever that takes.

        Raises:
            InputError: The file cannot be read or run, or has no such function.
        """
        namespace = vars(_module(self.file))
        function = namespace.get(self.function)
        if not inspect.isroutine(function):
            functions = [name for name, each in namespace.items() if inspect.isfunction(each)]
            if not functions:
                raise InputError(f"{self.file} has no function {self.function}, or any other.")
            raise unknown_name(f"function in {self.file}", self.function, functions)
        return function

    def copy_to(self, folder: Path) -> OwnModel:
        """Copies the file, so that nobody changes the model behind a run's back.

        Args:
            folder: Where to; the copy is named like the model.

        Returns:
            The same function of the copy.

        Raises:
            InputError: The file cannot be read or the copy cannot be written.
        """
        copy = folder / f"{self.name}{_SUFFIX}"
        try:
            copy.write_bytes(self.file.read_bytes())
        except OSError as error:
            raise InputError(
                f"{self.file} cannot be copied to {copy}: {error.strerror}."
            ) from error
        return OwnModel(copy, self.function)

    def __str__(self) -> str:
        return f"{self.file}:{self.function}"


_BY_KEYWORD = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class _OwnEntry(ZooEntry):
    """An own model as the catalogue sees it."""

    own: OwnModel = dataclasses.field(kw_only=True)

    @property
    def name(self) -> str:
        return self.own.name

    @property
    def card(self) -> None:
        return None

    @property
    def recipes(self) -> Mapping[str, Path]:
        return {DEFAULT_RECIPE: self.folder / "recipes" / f"{DEFAULT_RECIPE}.toml"}

    def read_recipe(self, path: str | Path) -> Recipe:
        if Path(path) == self.recipes[DEFAULT_RECIPE]:
            return dataclasses.replace(Recipe.from_toml(path), model=self.name)
        return super().read_recipe(path)

    def arguments(self) -> dict[str, Any]:
        """What the function names; what it takes besides (`**arguments`) a recipe may set."""
        variable = {
            each.name
            for each in inspect.signature(self.load_builder()).parameters.values()
            if each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
        }
        return {
            name: None if default is inspect.Parameter.empty else default
            for name, default in super().arguments().items()
            if name not in variable
        }

    def build(
        self, *, input_shape: tuple[int, int, int], classes: int, **arguments: Any
    ) -> keras.Model:
        builder = self.load_builder()
        known = self.arguments()
        anything = any(
            each.kind is each.VAR_KEYWORD for each in inspect.signature(builder).parameters.values()
        )
        for argument in arguments:
            if argument not in known and not anything:
                raise unknown_name(f"argument of {self.own.label}", argument, known)
        import keras

        try:
            model = builder(input_shape=input_shape, classes=classes, **arguments)
        except InputError:
            raise
        # The function is the user's own, and may fail in any way.
        except (Exception, SystemExit) as error:
            raise InputError(f"{self.own.label} cannot build a model: {_reason(error)}.") from error
        if not isinstance(model, keras.Model):
            raise InputError(
                f"{self.own.label} returned a {type(model).__name__}; a keras.Model from images to "
                "logits is needed."
            )
        return model


def _module(file: Path) -> types.ModuleType:
    """Runs a file as a module of its own. Nothing is written beside it, as importing would."""
    try:
        source = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error
    name = f"tfdpzoo_own_model_{hashlib.sha256(source).hexdigest()[:16]}"
    module = types.ModuleType(name)
    module.__file__ = str(file.absolute())
    # Dataclasses and Keras look up the module of a class by its name.
    sys.modules[name] = module
    try:
        exec(compile(source, module.__file__, "exec"), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise InputError(f"{file} cannot be run: {_reason(error)}.") from error
    return module


def _reason(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.msg} (line {error.lineno})"
    first = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return f"{type(error).__name__}: {first}"
