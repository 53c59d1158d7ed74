"""The folder in which a run keeps its ledger, its log and its plots."""

from __future__ import annotations

import contextlib
import datetime
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tfdpzoo.errors import InputError
from tfdpzoo.recipe import Recipe
from tfdpzoo.version_folder import check_destination


@dataclass(frozen=True)
class RunFolder:
    """Where the files of one run lie. It is private to the run: nothing in it is released.

    Attributes:
        path: The folder.
    """

    path: Path

    @classmethod
    def create(cls, parent: str | Path, recipe: Recipe) -> RunFolder:
        """Makes a new folder for a run of `recipe` and writes the recipe into it.

        Args:
            parent: The folder of all runs; made if it is missing.
            recipe: What is run.

        Raises:
            InputError: The folder cannot be made.
        """
        moment = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        name = f"{recipe.model}-{recipe.name}-{moment}"
        text = recipe.to_toml()
        try:
            folder = cls(make_free_folder(Path(parent), name))
            folder.recipe.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"The run's folder cannot be made in {parent} ({error.strerror}); give another one "
                "with --runs."
            ) from error
        return folder

    @classmethod
    @contextlib.contextmanager
    def kept_once_started(cls, parent: str | Path, recipe: Recipe) -> Iterator[RunFolder]:
        """Makes a run's folder as `create` does, and removes it if training never begins.

        From the first update on the folder stays, whatever happens: its ledger says what the run
        has cost.

        Args:
            parent: The folder of all runs; made if it is missing.
            recipe: What is run.

        Raises:
            InputError: The folder cannot be made.
        """
        parents = [Path(parent), *Path(parent).parents]
        missing = [each for each in parents if not each.exists()]
        folder = cls.create(parent, recipe)
        try:
            yield folder
        except BaseException:
            if not folder.metrics.exists():
                shutil.rmtree(folder.path, ignore_errors=True)
                with contextlib.suppress(OSError):
                    for each in missing:
                        each.rmdir()
            raise

    @property
    def recipe(self) -> Path:
        """The recipe as it was run."""
        return self.path / "recipe.toml"

    @property
    def ledger(self) -> Path:
        """The executed updates."""
        return self.path / "ledger.json"

    @property
    def key(self) -> Path:
        """The secret key, until the run has ended."""
        return self.path / "key"

    @property
    def record(self) -> Path:
        """What the run was started with."""
        return self.path / "run.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of the last checkpoints."""
        return self.path / "checkpoints"

    @property
    def lock(self) -> Path:
        """Held by the process that trains."""
        return self.path / "lock"

    @property
    def metrics(self) -> Path:
        """One row for each epoch."""
        return self.path / "metrics.csv"

    @property
    def events(self) -> Path:
        """TensorBoard's events."""
        return self.path / "tensorboard"

    @property
    def learning_curve(self) -> Path:
        """Accuracy and epsilon against updates."""
        return self.path / "learning-curve.png"

    @property
    def model_without_privacy(self) -> Path:
        """The model of a run without privacy, as a Keras file; it is not to be published."""
        return self.path / "not-private.keras"


def check_runs(parent: str | Path) -> None:
    """Checks that the folder of a run can be made in `parent`, before the work that leads to it.

    Raises:
        InputError: It cannot.
    """
    try:
        check_destination(Path(parent) / secrets.token_hex(8))
    except InputError as error:
        raise InputError(
            f"The run's folder cannot be made in {parent}; give another one with --runs."
        ) from error


def make_free_folder(parent: Path, name: str) -> Path:
    """Makes a private folder under a name, or under that and a number where it is taken.

    Args:
        parent: Where it goes; made if it is missing.
        name: Of the folder.

    Raises:
        OSError: It cannot be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = parent / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
        else:
            return path
