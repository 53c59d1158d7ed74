"""The model that a training run ended with."""

from __future__ import annotations

from pathlib import Path

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.version_folder import find_version, read_privacy_file


def is_run(path: Path) -> bool:
    """Tells whether a folder is that of a run.

    Args:
        path: The folder, which need not exist.
    """
    run = RunFolder(path)
    return run.record.exists() or (run.recipe.exists() and not (path / "saved_model.pb").exists())


def model_of_run(path: Path) -> Path:
    """Returns the version's folder that a run ended with.

    Args:
        path: The run's folder.

    Raises:
        InputError: The run has not ended or was without privacy, or its model lies there no longer.
    """
    # The record of a run knows of devices and data, and takes TensorFlow to read.
    from tfdpzoo.run_record import RunRecord

    run = RunFolder(path)
    if not run.record.exists() and not run.ledger.exists():
        raise InputError(
            f"{path} is a run without privacy (--no-dp): there is no guarantee that an exported "
            "model could carry. Train it with --epsilon."
        )
    record = RunRecord.read(run.record)
    if record.model is None:
        raise InputError(
            f"The run {path} has not ended, so it has released no model; go on with it by "
            f"`tfdpzoo train --resume {path}`."
        )
    # The path of the model is as it was typed; its folder is that of the destination.
    version = Path(record.destination).parent / Path(record.model).name
    if not version.is_dir():
        raise InputError(
            f"The model of the run {path} lies in {version} no longer; give the path where it is."
        )
    _require_its_updates(run, version)
    return find_version(version)


def _require_its_updates(run: RunFolder, version: Path) -> None:
    """Another model may have taken the place of one that was removed."""
    executed = Ledger.load(run.ledger).segments
    if read_privacy_file(version).guarantee.updates.segments != executed:
        raise InputError(
            f"The model in {version} is not the one that the run {run.path} ended with: its record "
            "has other updates. Give the path of the model to export."
        )
