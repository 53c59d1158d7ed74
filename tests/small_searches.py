"""Small searches that tests of tuning share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import keras_tuner
import pytest
from small_jobs import stripes

from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.tuning.hypermodel_trials import TrialSettings
from tfdpzoo.tuning.private_tuner import PrivateTuner
from tfdpzoo.tuning.search_folder import TrialFolder
from tfdpzoo.tuning.search_plan import SearchBudget
from tfdpzoo.tuning.trial_result import TrialResult

DELTA = 1e-3
SETTINGS = TrialSettings(batch_size=40, epochs=2, averaging_decay=0.0)
DATA = stripes()
LAW = RepetitionLaw("geometric", 4.0)


def dense(parameters: keras_tuner.HyperParameters) -> keras.Model:
    """A linear model whose learning rate is searched."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 127.5, -1),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )
    rate = parameters.Float("learning_rate", 0.1, 10, sampling="log")
    model.compile(keras.optimizers.SGD(rate))
    return model


def random_tuner(folder: Path, *, insecure_seed: int | None, **arguments: Any) -> PrivateTuner:
    """A search with a random number of trials."""
    return PrivateTuner(
        dense,
        arguments.pop("budget", SearchBudget(8.0, DELTA, law=LAW)),
        SETTINGS,
        held_out=0.2,
        directory=folder,
        project_name="search",
        insecure_seed=insecure_seed,
        **arguments,
    )


def adaptive_tuner(folder: Path, trials: int, **arguments: Any) -> PrivateTuner:
    """A search of which every trial counts."""
    return PrivateTuner(
        dense,
        SearchBudget(8.0, DELTA, trials=trials),
        SETTINGS,
        held_out=0.2,
        directory=folder,
        project_name="search",
        insecure_seed=1,
        **arguments,
    )


class PretendedTrials:
    """Trials that train nothing; their scores follow from their names.

    Attributes:
        run: The names of the trials, in the order in which they were run.
        crashing: The names of those that crash.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, crashing: tuple[str, ...] = ()) -> None:
        self.run: list[str] = []
        self.crashing = crashing
        monkeypatch.setattr("tfdpzoo.tuning.private_tuner.run_in_a_process", self)

    def __call__(self, folder: TrialFolder) -> TrialResult:
        assert not folder.result.exists(), "a trial that has ended is never run again"
        self.run.append(folder.name)
        result = TrialResult("completed", pretended_score(folder.name), 1.0, 8, 1.0)
        if folder.name in self.crashing:
            result = TrialResult("crashed", None, 1.0, 0, None, "its process was ended by SIGKILL")
        result.write(folder)
        return result


def pretended_score(name: str) -> float:
    """The score of a pretended trial."""
    return SecretKey.from_seed(0).derive(f"score of {name}") % 1000 / 1000
