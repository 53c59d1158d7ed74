"""The short form of `make faults`: what must not be lost is not lost, whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from faulty_runs import (
    UPDATES,
    FullDisk,
    KillAtCall,
    Released,
    counted,
    released,
    resume,
    run_folder,
    train,
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """What the run comes to when nothing happens."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    assert train(folder).exit_code == 0
    assert not (run_folder(folder) / "key").exists()
    return released(folder)


def test_a_run_that_is_killed_and_goes_on_ends_as_if_nothing_had_happened(
    tmp_path: Path, undisturbed: Released
) -> None:
    """Between ledger and update, and then while a checkpoint is written."""
    folder = tmp_path / "run"
    assert train(folder, KillAtCall(40, after=True)).exit_code == -9
    assert resume(folder, KillAtCall(17)).exit_code == -9
    assert resume(folder).exit_code == 0

    _assert_same(released(folder), undisturbed)


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path, undisturbed: Released) -> None:
    folder = tmp_path / "run"
    ended = train(folder, FullDisk(45))

    assert ended.refused and "No space left on device" in ended.said
    assert 0 < counted(folder) < UPDATES
    assert resume(folder).exit_code == 0
    _assert_same(released(folder), undisturbed)


def _assert_same(found: Released, undisturbed: Released) -> None:
    assert found.updates == undisturbed.updates == UPDATES
    assert found.epsilon == undisturbed.epsilon
    assert found.distance(undisturbed) == 0
