"""The release of a search: its best model, tested and exported with the guarantee of it all."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tfdpzoo.data import ImageDataset
from tfdpzoo.fitting import TrainingResult, evaluation_of
from tfdpzoo.saved_model import export
from tfdpzoo.trained_weights import TrainedWeights, private_model_of
from tfdpzoo.training import release
from tfdpzoo.training_job import TrainingJob
from tfdpzoo.tuning.private_tuner import PrivateTuner
from tfdpzoo.tuning.search_folder import TrialFolder
from tfdpzoo.tuning.trial_result import TrialResult, best_trials
from tfdpzoo.tuning.trial_training import start_after_the_end


def release_best(
    tuner: PrivateTuner, dataset: ImageDataset, destination: str | Path
) -> tuple[TrainingJob, TrainingResult]:
    """Tests the best model of a search on test images, for the first time, and exports it.

    What the export says of training (seconds, updates) is of the best trial alone: how long the
    search took would tell how many trials there were.

    Args:
        tuner: Whose search has ended.
        dataset: The data set of the search, with its test images.
        destination: The version's folder.

    Returns:
        The best trial's job, with the test images, and what came of it.

    Raises:
        InputError: The search has not ended, or the destination exists or cannot be written.
    """
    folder = tuner.found.best_folder
    job = tuner.found.job_of(folder)
    job = dataclasses.replace(
        job,
        dataset=dataclasses.replace(
            job.dataset, test_images=dataset.test_images, test_labels=dataset.test_labels
        ),
    )
    private = private_model_of(job, start_after_the_end(folder, tuner.state))
    found = private.evaluate(**evaluation_of(job), verbose=0, return_dict=True)
    trained = TrainedWeights(
        private,
        accuracy=float(found["accuracy"]),
        loss=float(found["loss"]),
        seconds=_seconds_of(folder),
        rows=(),
        warning=None,
    )
    return job, release(job, trained, destination, tuner.found.guarantee_of(private))


def release_others(tuner: PrivateTuner) -> list[Path]:
    """Exports the models of all other trials, for a search whose guarantee covers them.

    They are not tested: test images are for what was chosen without them.

    Args:
        tuner: Whose search has ended, and keeps its trials.

    Returns:
        Where they lie: a model for each trial, in the folder of the search.

    Raises:
        InputError: A folder cannot be written.
    """
    best = tuner.found.best_folder
    others = [folder for folder, _ in best_trials(tuner.folder) if folder.name != best.name]
    return [_exported(tuner, folder) for folder in others]


def _exported(tuner: PrivateTuner, folder: TrialFolder) -> Path:
    destination = tuner.folder.models / f"trial-{folder.name}" / "1"
    if destination.exists():
        return destination
    job = tuner.found.job_of(folder)
    private = private_model_of(job, start_after_the_end(folder, tuner.state))
    return export(
        private,
        destination,
        guarantee=tuner.found.guarantee_of(private),
        class_names=job.dataset.class_names,
    )


def _seconds_of(folder: TrialFolder) -> float:
    result = TrialResult.read(folder)
    return 0.0 if result is None else result.seconds
