"""The folder in which a run keeps its ledger, its log and its plots."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from tfdpzoo.errors import InputError
from tfdpzoo.recipe import Recipe


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
        try:
            folder = cls(_make_free(Path(parent), name))
            folder.recipe.write_text(recipe.to_toml())
        except OSError as error:
            raise InputError(
                f"The run's folder cannot be made in {parent} ({error.strerror}); give another one "
                "with --runs."
            ) from error
        return folder

    @property
    def recipe(self) -> Path:
        """The recipe as it was run."""
        return self.path / "recipe.toml"

    @property
    def ledger(self) -> Path:
        """The executed updates."""
        return self.path / "ledger.json"

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


def _make_free(parent: Path, name: str) -> Path:
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
