"""Where a run goes on, and that nothing that was seen is forgotten."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from tfdpzoo.checkpoint import Checkpoint, CheckpointFolder, Facts
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_start import RunStart, first_start, later_start

KEY = SecretKey.generate()


def begun(path: Path, updates: int, *saved: int) -> tuple[RunFolder, CheckpointFolder]:
    """A run with so many updates in its ledger, and checkpoints before some."""
    folder = RunFolder(path)
    start = first_start(folder, KEY)
    if updates:
        start.ledger.record(1.0, 0.1, updates=updates)
    checkpoints = CheckpointFolder(folder.checkpoints, "a", kept=9)
    for update in saved:
        facts = Facts("a", update, 2.5, chunk=8, jit_compile=False)
        checkpoints.write(Checkpoint(facts, {"kernel": np.ones(update + 1)}))
    return folder, checkpoints


def goes_on(folder, checkpoints, same_environment=True) -> tuple[RunStart, list[str]]:
    said: list[str] = []
    start = later_start(folder, checkpoints, same_environment=same_environment, notify=said.append)
    return start, said


def same_draws(one: SecretKey, other: SecretKey) -> bool:
    return one.derive("noise") == other.derive("noise")


def test_a_first_start_keeps_the_key_for_its_owner(tmp_path: Path) -> None:
    folder, _ = begun(tmp_path, 0)
    found = SecretKey.load(folder.key)

    assert found is not None and same_draws(found, KEY) and not found.reproducible
    assert stat.S_IMODE(folder.key.stat().st_mode) == 0o600


def test_it_goes_on_from_the_newest_checkpoint_with_the_same_draws(tmp_path: Path) -> None:
    start, said = goes_on(*begun(tmp_path, 9, 0, 4, 7))

    assert start.next_update == 7 and start.ledger.updates == 9 and start.seconds == 2.5
    assert start.checkpoint is not None and start.checkpoint.facts.update == 7
    assert same_draws(start.key, KEY)
    assert not said


@pytest.mark.parametrize("change", ["key", "environment"])
def test_what_cannot_be_repeated_counts_again(tmp_path: Path, change: str) -> None:
    folder, checkpoints = begun(tmp_path, 9, 0, 7)
    if change == "key":
        folder.key.unlink()

    start, said = goes_on(folder, checkpoints, same_environment=change == "key")

    assert start.next_update == 9
    assert not same_draws(start.key, KEY)
    kept = SecretKey.load(folder.key)
    assert kept is not None and same_draws(kept, start.key)
    assert len(said) == 1 and said[0].startswith("The last 2 updates are lost and count all the")


def test_without_repeated_updates_another_machine_changes_nothing(tmp_path: Path) -> None:
    start, said = goes_on(*begun(tmp_path, 7, 0, 7), same_environment=False)

    assert start.next_update == 7 and same_draws(start.key, KEY) and not said


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    folder, checkpoints = begun(tmp_path, 9, 4, 7)
    newest = checkpoints.path / "000000007.checkpoint"
    newest.write_bytes(newest.read_bytes()[:-100])

    start, said = goes_on(folder, checkpoints)

    assert start.next_update == 4
    assert said == [
        f"The checkpoint {newest} is damaged or was altered. The one before it is used."
    ]


def test_without_any_checkpoint_the_updates_stay_paid_for(tmp_path: Path) -> None:
    folder, checkpoints = begun(tmp_path, 9)

    with pytest.raises(InputError, match="its 9 updates are in the ledger and have been paid for"):
        goes_on(folder, checkpoints)
    assert Ledger.load(folder.ledger).updates == 9


def test_a_run_that_was_killed_before_its_first_update_begins(tmp_path: Path) -> None:
    start, _ = goes_on(*begun(tmp_path, 0))

    assert start.next_update == 0 and start.checkpoint is None and same_draws(start.key, KEY)


def test_an_older_ledger_is_refused(tmp_path: Path) -> None:
    """Otherwise the updates between would be forgotten."""
    with pytest.raises(InputError, match="counts 5 updates, but the checkpoint was made after 7"):
        goes_on(*begun(tmp_path, 5, 0, 7))


@pytest.mark.parametrize("position", [None, 0, 15, 30, 80, 120, -1])
def test_a_damaged_key_is_refused(tmp_path: Path, position: int | None) -> None:
    """Another key would put other noise below updates that were seen."""
    folder, checkpoints = begun(tmp_path, 9, 7)
    content = bytearray(folder.key.read_bytes())
    if position is None:
        content.clear()
    else:
        content[position] ^= 1
    folder.key.write_bytes(content)

    with pytest.raises(InputError, match="cannot be read or is damaged; without the file"):
        goes_on(folder, checkpoints)


def test_a_known_key_stays_known(tmp_path: Path) -> None:
    SecretKey.from_seed(3).save(tmp_path / "key")
    found = SecretKey.load(tmp_path / "key")

    assert found is not None and found.reproducible
    assert same_draws(found, SecretKey.from_seed(3))
