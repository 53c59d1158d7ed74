"""The short form of `make faults`: what must not be lost is not lost, whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from faulty_runs import (
    TRAIN,
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
from real_workers import BOUND, ROUNDING_OF_WORKERS, start_workers, wait_for_updates


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


@pytest.mark.slow  # Two runs; that checkpoint and ledger survive it is in their own tests.
def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path, undisturbed: Released) -> None:
    folder = tmp_path / "run"
    ended = train(folder, FullDisk(45))

    assert ended.refused and "No space left on device" in ended.said
    assert 0 < counted(folder) < UPDATES
    assert resume(folder).exit_code == 0
    _assert_same(released(folder), undisturbed)


def test_a_worker_that_is_killed_ends_the_others_and_the_run_goes_on(
    tmp_path: Path, undisturbed: Released
) -> None:
    """Its images are read by index, and the other worker leads."""
    folder = tmp_path / "run"
    first, second = start_workers(folder, *TRAIN, "--memory-limit", "64KiB")
    wait_for_updates(folder, 8)
    second.kill()

    left = first.wait(BOUND)
    assert left.refused and "Another worker of the cluster was lost" in left.said
    assert 8 <= counted(folder) < UPDATES
    second.wait(BOUND)
    resumed = start_workers(folder, "train", "--resume", str(run_folder(folder)))
    assert [worker.wait(BOUND).exit_code for worker in resumed] == [0, 0]
    ended = released(folder)
    assert ended.updates == UPDATES
    assert ended.epsilon == undisturbed.epsilon
    assert ended.distance(undisturbed) < ROUNDING_OF_WORKERS


def _assert_same(found: Released, undisturbed: Released) -> None:
    assert found.updates == undisturbed.updates == UPDATES
    assert found.epsilon == undisturbed.epsilon
    assert found.distance(undisturbed) == 0
