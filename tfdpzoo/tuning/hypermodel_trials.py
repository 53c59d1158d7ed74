"""Trials whose models are built by a KerasTuner hypermodel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import keras_tuner

from tfdpzoo.data import ImageDataset
from tfdpzoo.dpsgd.augmentation import Augmentation
from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.errors import InputError
from tfdpzoo.recipe import OptimizerSettings, PrivacySettings, Recipe
from tfdpzoo.training_job import TrainingJob
from tfdpzoo.tuning.search_plan import SearchPlan
from tfdpzoo.tuning.trials import TrialOrder

ACCOUNTED_NAMES = ("batch_size", "epochs")
"""Hyper-parameters of these names decide how much noise a trial needs."""


@dataclass(frozen=True)
class TrialSettings:
    """How each trial of a hypermodel is trained, unless a hyper-parameter of that name says it.

    Attributes:
        batch_size: Expected number of examples an update.
        epochs: Updates times batch size over examples; the most, if it is searched.
        clip_norm: C, the largest norm of one example's gradient.
        averaging_decay: Of the weights' moving average; 0 turns it off.
        augmentation: Random views of each example.
        execution: How an update is computed.
        engine: The gradient engine.
    """

    batch_size: int
    epochs: float
    clip_norm: float = 1.0
    averaging_decay: float = 0.999
    augmentation: Augmentation = field(default_factory=Augmentation)
    execution: ExecutionSettings = field(default_factory=ExecutionSettings)
    engine: str = "fast"


@dataclass(frozen=True)
class HypermodelTrials:
    """What the trials of a hypermodel have in common.

    Attributes:
        hypermodel: Builds a compiled model from hyper-parameters.
        space: The configuration of all hyper-parameters.
        load_dataset: Returns the data set.
        settings: How each trial is trained.
    """

    hypermodel: keras_tuner.HyperModel
    space: dict[str, Any]
    load_dataset: Callable[[], ImageDataset]
    settings: TrialSettings

    def load(self) -> ImageDataset:
        """Returns all training examples, before the split, and the test images."""
        return self.load_dataset()

    def job(self, order: TrialOrder, parts: ImageDataset, plan: SearchPlan) -> TrainingJob:
        """Returns the training of a trial.

        Raises:
            InputError: The hypermodel returns something else than a compiled classifier.
        """
        parameters = keras_tuner.HyperParameters.from_config(self.space)
        parameters.values = {**parameters.values, **order.overrides}
        model = self.hypermodel.build(parameters)
        optimizer = _optimizer_of(model)
        values, settings = parameters.values, self.settings
        trial_plan = plan.trial_plan(
            clip_norm=float(values.get("clip_norm", settings.clip_norm)),
            batch_size=int(values.get("batch_size", settings.batch_size)),
            epochs=order.share * float(values.get("epochs", settings.epochs)),
        )
        recipe = Recipe(
            name="search",
            model=model.name,
            description="A trial of a hypermodel",
            dataset=parts.name,
            privacy=PrivacySettings(
                epsilon=trial_plan.epsilon,
                delta=trial_plan.delta,
                batch_size=trial_plan.batch_size,
                epochs=trial_plan.epochs,
                clip_norm=trial_plan.clip_norm,
            ),
            # The model's own is used; a recipe has to name one.
            optimizer=OptimizerSettings("sgd", learning_rate=1.0, schedule="constant"),
            averaging_decay=settings.averaging_decay,
            augmentation=settings.augmentation,
            execution=settings.execution,
        )
        return TrainingJob(recipe, parts, model, trial_plan, settings.engine, optimizer=optimizer)

    def digest(self) -> str:
        """Returns a digest of the search space and of how trials are trained."""
        text = json.dumps(self.space, sort_keys=True, default=str) + repr(self.settings)
        return hashlib.sha256(text.encode()).hexdigest()


def _optimizer_of(model: keras.Model) -> keras.optimizers.Optimizer:
    if not isinstance(model, keras.Model):
        raise InputError(f"The hypermodel returned {model!r:.80}, which is no keras.Model.")
    if model.optimizer is None:
        raise InputError(
            f"The hypermodel returned {model.name} without an optimizer; compile it with one."
        )
    loss = getattr(model, "loss", None)
    if loss is not None and not _is_cross_entropy_of_logits(loss):
        raise InputError(
            f"The hypermodel compiled {model.name} with the loss {loss!r:.80}; trials are trained "
            "with keras.losses.SparseCategoricalCrossentropy(from_logits=True), so compile with "
            "that one and let the model return logits."
        )
    return keras.optimizers.deserialize(keras.optimizers.serialize(model.optimizer))


def _is_cross_entropy_of_logits(loss: Any) -> bool:
    return (
        isinstance(loss, keras.losses.SparseCategoricalCrossentropy)
        and loss.get_config().get("from_logits") is True
    )
