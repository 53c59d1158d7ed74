"""Where a process begins in a run: at the first update, or where an earlier process stopped."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tfdpzoo.checkpoint import Checkpoint, CheckpointFolder, DamagedCheckpointError
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError
from tfdpzoo.metrics_log import EpochRow, read_rows
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.run_folder import RunFolder


@dataclasses.dataclass(frozen=True, eq=False)
class RunStart:
    """The secret, the ledger and the state that training begins with.

    Attributes:
        key: The secret of sampling and noise.
        ledger: The updates that were executed.
        next_update: The number of the first update.
        checkpoint: The state before it; None for a model as it was built.
        rows: The epochs that ended before it.
    """

    key: SecretKey
    ledger: Ledger
    next_update: int = 0
    checkpoint: Checkpoint | None = None
    rows: tuple[EpochRow, ...] = ()

    @property
    def seconds(self) -> float:
        """How long earlier processes trained."""
        return self.checkpoint.facts.seconds if self.checkpoint else 0.0


def first_start(folder: RunFolder, key: SecretKey) -> RunStart:
    """Makes ledger and key of a run that begins.

    Raises:
        InputError: They cannot be written, or are there already.
    """
    ledger = Ledger(folder.ledger)
    _save(key, folder)
    return RunStart(key, ledger)


def later_start(
    folder: RunFolder,
    checkpoints: CheckpointFolder,
    *,
    same_environment: bool,
    notify: Callable[[str], None] = print,
) -> RunStart:
    """Finds out where a run goes on.

    Formal guarantee:
        Updates after the checkpoint are in the ledger already, and somebody may have seen what came
        of them. With the run's key and in the environment that they were executed in they come out
        bit by bit the same (measured, see docs/durability.md; TensorFlow does not promise it), so
        they are executed again and count once. Otherwise they would come out with other sums below
        the same noise, or with other noise: then the run gets a new key and goes on with the first
        update that the ledger does not count, so that what was seen before and what is released
        later are both counted.

    Args:
        folder: The run's folder.
        checkpoints: Its checkpoints.
        same_environment: Whether this process computes the same bits as the one that stopped.
        notify: Told, in sentences, what is out of the ordinary.

    Raises:
        InputError: The ledger or all checkpoints are missing, damaged or of another run.
    """
    ledger = Ledger.load(folder.ledger)
    key = SecretKey.load(folder.key)
    checkpoint = _newest_intact(checkpoints, notify)
    if checkpoint is None:
        return _start_without_checkpoint(folder, ledger, key)
    update = checkpoint.facts.update
    if update > ledger.updates:
        raise InputError(
            f"The ledger {folder.ledger} counts {ledger.updates} updates, but the checkpoint was "
            f"made after {update}; put back the ledger that belongs to it."
        )
    repeated = ledger.updates - update
    if key is None or (repeated and not same_environment):
        reason = "the secret key is gone" if key is None else "this machine computes other bits"
        if repeated:
            notify(
                f"The last {repeated} updates are lost and count all the same: {reason}, and so "
                "they cannot be repeated as they were."
            )
        key, update = SecretKey.generate(), ledger.updates
        _save(key, folder)
    rows = tuple(row for row in read_rows(folder.metrics) if row.updates <= update)
    return RunStart(key, ledger, update, checkpoint, rows)


def _start_without_checkpoint(folder: RunFolder, ledger: Ledger, key: SecretKey | None) -> RunStart:
    """The first checkpoint is older than the first update, so that nothing is lost here."""
    if ledger.updates:
        raise InputError(
            f"{folder.checkpoints} has no checkpoint that can be read, so that the run cannot go "
            f"on; its {ledger.updates} updates are in the ledger and have been paid for."
        )
    if key is None:
        key = SecretKey.generate()
        _save(key, folder)
    return RunStart(key, ledger)


def _newest_intact(
    checkpoints: CheckpointFolder, notify: Callable[[str], None]
) -> Checkpoint | None:
    for update in reversed(checkpoints.updates()):
        try:
            return checkpoints.read(update)
        except DamagedCheckpointError as error:
            notify(f"{error} The one before it is used.")
    return None


def _save(key: SecretKey, folder: RunFolder) -> None:
    try:
        key.save(folder.key)
    except OSError as error:
        raise InputError(
            f"The run's key cannot be written to {folder.path}: {error.strerror}."
        ) from error
