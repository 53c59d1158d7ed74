"""What the trials of a search have in common, as their processes get it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cloudpickle

from tfdpzoo.data import ImageDataset
from tfdpzoo.durable_file import replace_durably
from tfdpzoo.errors import InputError
from tfdpzoo.recipe import Recipe
from tfdpzoo.training_job import Builder, TrainingJob, prepare
from tfdpzoo.tuning.search_folder import TrialFolder
from tfdpzoo.tuning.search_plan import SearchPlan


@dataclass(frozen=True)
class TrialOrder:
    """What one trial is to do.

    Attributes:
        overrides: Values of the recipe by dotted key, or of hyper-parameters by name.
        share: Of the epochs that a trial has, above 0 and at most 1; a search that gives most
            trials less time gives less than 1.
    """

    overrides: Mapping[str, Any]
    share: float = 1.0

    def write(self, folder: TrialFolder) -> None:
        """Writes the order for the trial's process; it is on the disk when this returns."""
        replace_durably(folder.order, json.dumps(dataclasses.asdict(self)).encode())

    @classmethod
    def read(cls, folder: TrialFolder) -> TrialOrder:
        """Reads the order of a trial."""
        return cls(**json.loads(folder.order.read_bytes()))


class Trials(Protocol):
    """What the trials of a search have in common; it is pickled for their processes."""

    def load(self) -> ImageDataset:
        """Returns all training examples, before the split, and the test images."""

    def job(self, order: TrialOrder, parts: ImageDataset, plan: SearchPlan) -> TrainingJob:
        """Returns the training of a trial.

        Args:
            order: The trial's settings.
            parts: The training part, and as test images the held-out one.
            plan: Of the search.
        """

    def digest(self) -> str:
        """Returns a digest of all that must not change while a search goes on."""


@dataclass(frozen=True)
class RecipeTrials:
    """Trials of one recipe, with other values in it.

    Attributes:
        recipe: The recipe.
        load_builder: Returns what builds the recipe's model.
        load_dataset: Returns the data set.
        engine: The gradient engine.
        initialization_seed: Of the initial weights; None for others in each trial.
        model_digest: Of the file that builds an own model; empty for a model of the zoo.
    """

    recipe: Recipe
    load_builder: Callable[[], Builder]
    load_dataset: Callable[[], ImageDataset]
    engine: str = "fast"
    initialization_seed: int | None = None
    model_digest: str = ""

    def load(self) -> ImageDataset:
        """Returns all training examples, before the split, and the test images."""
        return self.load_dataset()

    def recipe_of(self, order: TrialOrder) -> Recipe:
        """Returns the recipe with a trial's values in it.

        Args:
            order: The trial's settings.

        Raises:
            InputError: A value cannot be used.
        """
        return self.recipe.with_searched(order.overrides)

    def job(self, order: TrialOrder, parts: ImageDataset, plan: SearchPlan) -> TrainingJob:
        """Returns the training of a trial.

        Raises:
            InputError: A value cannot be used, or the model cannot be built with it.
        """
        recipe = self.recipe_of(order)
        return prepare(
            recipe,
            parts,
            self.load_builder(),
            plan=plan.trial_plan(
                clip_norm=recipe.privacy.clip_norm,
                batch_size=recipe.privacy.batch_size,
                epochs=order.share * recipe.privacy.epochs,
            ),
            engine=self.engine,
            initialization_seed=self.initialization_seed,
        )

    def digest(self) -> str:
        """Returns a digest of recipe, engine, initialisation and own model."""
        text = "\n".join(
            [self.recipe.to_toml(), self.engine, f"{self.initialization_seed}", self.model_digest]
        )
        return hashlib.sha256(text.encode()).hexdigest()


def write_trials(trials: Trials, path: Path) -> None:
    """Pickles what the trials have in common; functions of a script or a notebook by their code.

    Raises:
        InputError: Something in it cannot be pickled.
    """
    try:
        path.write_bytes(cloudpickle.dumps(trials))
    except (TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"The hypermodel cannot be handed to the processes of its trials: {error}. It must not "
            "hold open files, locks or the like."
        ) from error


def read_trials(path: Path) -> Trials:
    """Reads what the trials of a search have in common.

    Args:
        path: The file, from the private folder of a search: whoever can write to it can run code.
    """
    trials: Trials = cloudpickle.loads(path.read_bytes())
    return trials
