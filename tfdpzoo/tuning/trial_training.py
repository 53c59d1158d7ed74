"""One trial: its training, and its score on the held-out examples."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from tfdpzoo.checkpoint import CheckpointFolder
from tfdpzoo.data import ImageDataset
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.interruption import StopRequest
from tfdpzoo.run_record import current_environment
from tfdpzoo.run_start import RunStart, first_start, later_start
from tfdpzoo.trained_weights import train_weights
from tfdpzoo.training_job import TrainingJob
from tfdpzoo.tuning.held_out import hold_out
from tfdpzoo.tuning.search_folder import TrialFolder
from tfdpzoo.tuning.search_state import SearchState
from tfdpzoo.tuning.trial_result import TrialResult
from tfdpzoo.tuning.trials import TrialOrder, Trials


def run_trial(
    folder: TrialFolder,
    state: SearchState,
    trials: Trials,
    *,
    stop: StopRequest | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrialResult:
    """Trains and scores a trial, or what an earlier process left of it.

    Formal guarantee:
        What is released of a trial is its weights, and its score: a number of right answers with
        Gaussian noise, rounded to a whole number. A trial whose updates had to be executed again
        with other noise, after a crash on another machine, would cost more than it was planned to;
        it counts as crashed, and nothing of it is released.

    Args:
        folder: Of the trial.
        state: Of the search.
        trials: What the trials have in common.
        stop: Asked after each update whether to stop.
        callbacks: Keras callbacks.

    Raises:
        InputError: The trial's settings cannot be used, or training diverged at once.
        TrainingStoppedError: `stop` was asked to, and a checkpoint is written.
    """
    job = job_of(folder, state, trials)
    start = _start(folder, job, state)
    trained = train_weights(
        job, folder, start, _checkpoints(folder, state), stop=stop, callbacks=callbacks
    )
    updates = trained.private.ledger.updates
    if updates > job.plan.updates:
        reason = (
            f"{updates:,} updates were executed instead of {job.plan.updates:,}, because some had "
            "to be repeated with other noise; that is more than a trial may cost"
        )
        result = TrialResult("crashed", None, trained.seconds, updates, None, reason)
    else:
        score = noised_score(
            trained.accuracy,
            len(job.dataset.test_images),
            state.plan.score_noise_multiplier,
            start.key,
        )
        epsilon = job.plan.epsilon
        result = TrialResult("completed", score, trained.seconds, updates, epsilon)
    result.write(folder)
    return result


def start_after_the_end(folder: TrialFolder, state: SearchState) -> RunStart:
    """Returns the start after the last update of a trial that has ended.

    Args:
        folder: Of the trial.
        state: Of the search.

    Raises:
        InputError: The trial's ledger or checkpoint is missing or damaged.
    """
    return later_start(folder, _checkpoints(folder, state), same_environment=True)


def job_of(folder: TrialFolder, state: SearchState, trials: Trials) -> TrainingJob:
    """Returns the training of a trial, with the held-out examples in the place of test images.

    Args:
        folder: Of the trial, whose order is written.
        state: Of the search.
        trials: What the trials have in common.

    Raises:
        InputError: The trial's settings cannot be used, or the data have changed.
    """
    dataset = trials.load()
    state.require_same_data(dataset)
    return trials.job(TrialOrder.read(folder), parts_of(dataset, state), state.plan)


def parts_of(dataset: ImageDataset, state: SearchState) -> ImageDataset:
    """Returns the two parts of the training examples of a search."""
    return hold_out(dataset, state.held_out, state.key)


def noised_score(accuracy: float, examples: int, noise_multiplier: float, key: SecretKey) -> float:
    """Returns the share of right answers as it may be released.

    Formal guarantee:
        One example changes a number of right answers by at most 1. With Gaussian noise of standard
        deviation `noise_multiplier` it is the release of dp-accounting's `GaussianDpEvent`, as far
        as a continuous distribution can be drawn in double precision; rounding to a whole number
        takes away the low digits in which the difference would show (Mironov 2012).

    Args:
        accuracy: The exact share.
        examples: Of how many.
        noise_multiplier: The standard deviation.
        key: The trial's secret.

    Example:
        >>> noised_score(0.5, 1000, 1.0, SecretKey.from_seed(0)) * 1000 % 1
        0.0
    """
    generator = np.random.Generator(np.random.Philox(key.derive("score")))
    return round(round(accuracy * examples) + generator.normal(scale=noise_multiplier)) / examples


def _start(folder: TrialFolder, job: TrainingJob, state: SearchState) -> RunStart:
    environment = current_environment(job.strategy)
    same = folder.environment.exists() and folder.environment.read_text() == environment
    folder.environment.write_text(environment)
    if folder.ledger.exists():
        return later_start(folder, _checkpoints(folder, state), same_environment=same)
    key = SecretKey.generate()
    if state.insecure_seed is not None:
        key = SecretKey.from_seed(state.key.derive("trial", int(folder.name)))
    return first_start(folder, key)


def _checkpoints(folder: TrialFolder, state: SearchState) -> CheckpointFolder:
    return CheckpointFolder(folder.checkpoints, f"{state.search}/{folder.name}", kept=1)
