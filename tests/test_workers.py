"""Two real processes train one model; one of them is killed, and the run goes on."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from pathlib import Path

import pytest
from faulty_runs import TRAIN, UPDATES, Released, Running, counted, released, run, run_folder, start

from tfdpzoo.privacy.ledger import Ledger

# Its averages change smoothly where max-pooling goes over to another pixel when sums round
# otherwise, as they do where two workers add up; and all its images are read by index.
SMOOTH = (*TRAIN, "--set", "pooling=average", "--memory-limit", "64KiB")
ROUNDING = 1e-5
# Until the others of a worker that was killed have ended. TensorFlow tells them at once.
BOUND = 60.0


def start_workers(folder: Path, *arguments: str) -> list[Running]:
    """Starts two workers that reach each other on this machine."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("localhost", 0))
        workers = [f"localhost:{each.getsockname()[1]}" for each in sockets]
    running = []
    for index in range(len(workers)):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": workers}, "task": task})
        running.append(
            start(
                folder,
                (*arguments, "--strategy", "multiworker"),
                name=f"stderr of worker {index}",
                environment={"TF_CONFIG": config},
            )
        )
    return running


def wait_for_updates(folder: Path, updates: int) -> None:
    """Returns once the ledger counts so many updates."""
    while not (run_folder(folder) / "ledger.json").exists() or counted(folder) < updates:
        time.sleep(0.01)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """What the run comes to in one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert run(folder, SMOOTH).exit_code == 0
    return released(folder)


def test_a_worker_is_killed_and_the_run_goes_on_from_its_checkpoint(
    tmp_path: Path, alone: Released
) -> None:
    folder = tmp_path / "run"
    first, second = start_workers(folder, *SMOOTH)
    wait_for_updates(folder, 8)
    second.kill()

    left = first.wait(BOUND)
    assert left.refused and "Another worker of the cluster was lost" in left.said
    assert 8 <= counted(folder) < UPDATES
    assert second.wait(BOUND).exit_code == -9
    spent = Ledger.load(run_folder(folder) / "ledger.json")

    resumed = start_workers(folder, "train", "--resume", str(run_folder(folder)))
    assert [worker.wait(BOUND * 2).exit_code for worker in resumed] == [0, 0]
    ended = released(folder)
    assert ended.updates == alone.updates == UPDATES >= spent.updates
    assert ended.epsilon == alone.epsilon
    assert ended.distance(alone) < ROUNDING


def test_the_worker_that_leads_is_killed(tmp_path: Path, alone: Released) -> None:
    """Then one process can go on alone, as another machine would: what was lost counts."""
    folder = tmp_path / "run"
    first, second = start_workers(folder, *SMOOTH)
    wait_for_updates(folder, 8)
    first.kill()

    left = second.wait(BOUND)
    assert left.refused and "Another worker of the cluster was lost" in left.said
    arguments = ("train", "--resume", str(run_folder(folder)), "--strategy", "none")
    ended = run(folder, arguments)
    assert ended.exit_code == 0
    assert released(folder).updates == UPDATES
    assert released(folder).epsilon == alone.epsilon
