"""Oracles that are asked for trials and told scores, as a search does it, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np

from tfdpzoo.tuning.objective import OBJECTIVE


def space() -> keras_tuner.HyperParameters:
    """Returns a space with settings of every kind."""
    parameters = keras_tuner.HyperParameters()
    parameters.Float("rate", 0.1, 10.0, sampling="log")
    parameters.Float("width", 0.0, 1.0, step=0.1)
    parameters.Int("batch", 16, 512)
    parameters.Boolean("average")
    parameters.Choice("name", ["sgd", "adam"])
    with parameters.conditional_scope("name", ["sgd"]):
        parameters.Float("momentum", 0.0, 0.99)
    return parameters


def scores_of(seed: int) -> list[float]:
    """Returns scores for more trials than any test has."""
    return list(np.random.default_rng(seed).random(1_000))


def drive(
    oracle: keras_tuner.Oracle, folder: Path, scores: list[float], most: int | None = None
) -> list[dict[str, Any]]:
    """Asks for trials until there are no more, and returns the settings of each.

    Args:
        oracle: Any oracle.
        folder: For KerasTuner's own files.
        scores: Of the trials, by their numbers.
        most: Ends after so many trials, as a crash would.
    """
    oracle._set_project_dir(str(folder), "keras_tuner")
    oracle.verbose = 0
    found: list[dict[str, Any]] = []
    while most is None or len(found) < most:
        trial = oracle.create_trial("tuner0")
        if trial.status == "STOPPED":
            break
        assert trial.status == "RUNNING"
        assert int(trial.trial_id) == len(found)
        oracle.update_trial(trial.trial_id, {OBJECTIVE: scores[len(found)]})
        found.append(dict(trial.hyperparameters.values))
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    return found
