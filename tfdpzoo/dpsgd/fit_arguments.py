"""What `PrivateModel.fit` refuses to train with."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from tfdpzoo.dpsgd.losses import PerExampleLoss
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.sampling import PoissonBatches
from tfdpzoo.dpsgd.validate import probe_images, require_isolated_losses
from tfdpzoo.errors import InputError

_PROBED_LABELS = 4
_DECIDED_BY_THE_PLAN = frozenset(
    {
        "batch_size",
        "class_weight",
        "initial_epoch",
        "sample_weight",
        "shuffle",
        "steps_per_epoch",
        "validation_split",
    }
)


def require_poisson(plan: PrivacyPlan, batches: Any, misplaced: Any) -> None:
    """Refuses whatever is not the Poisson samples of a plan.

    Args:
        plan: The model's plan.
        batches: What `fit` was given first.
        misplaced: What it was given after that, such as Keras' separate labels.

    Raises:
        InputError: The batches were made in another way, or for another plan.
    """
    if not isinstance(batches, PoissonBatches) or misplaced:
        raise InputError(
            "PrivateModel.fit takes plan.batches(images, labels): other ways to make batches, "
            "such as shuffling, do not have the plan's guarantee."
        )
    if batches.plan != plan:
        raise InputError("The batches are of another plan than the model's.")


def require_left_to_the_plan(names: Iterable[str]) -> None:
    """Refuses arguments of Keras that would decide what a batch is.

    Raises:
        InputError: One of them was given.
    """
    decided = sorted(_DECIDED_BY_THE_PLAN.intersection(names))
    if decided:
        raise InputError(
            f"fit does not take {', '.join(decided)}: the plan decides what a batch is."
        )


def require_epochs(epochs: Any) -> None:
    """Refuses a number of epochs that is not a whole number from 1, or None.

    Raises:
        InputError: It is something else.
    """
    if epochs is not None and (not isinstance(epochs, numbers.Integral) or epochs < 1):
        raise InputError(f"epochs is {epochs!r}; train for a whole number, at least one.")


def require_fitting_labels(model: keras.Model, loss: PerExampleLoss, labels: np.ndarray) -> None:
    """Refuses labels outside of the model's classes, and losses in which examples meet.

    Raises:
        InputError: The labels do not fit the model, or one example's loss depends on another.
    """
    classes = model(probe_images(model)).shape[-1]
    sparse = labels.ndim == 1 or labels.shape[1:] == (1,)
    if sparse and classes > 1 and len(labels):
        lowest, highest = labels.min(), labels.max()
        if lowest < 0 or highest >= classes:
            raise InputError(
                f"The labels go from {lowest} to {highest}, but the model has {classes} "
                f"classes: 0 to {classes - 1}."
            )
    rows = np.arange(_PROBED_LABELS) % max(len(labels), 1)
    require_isolated_losses(loss, classes, labels[rows])
