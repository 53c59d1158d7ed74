"""Workers of one training, in processes of their own on this machine."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from pathlib import Path

from faulty_runs import Running, counted, run_folder, start

# Until the others of a worker that was killed have ended, in seconds. TensorFlow tells them at
# once.
BOUND = 60.0
# They add up in another order than one process does. Where a sum lies close to a bend of the
# network, that takes one example's gradient elsewhere: 1.8e-4 after 22 updates. Other noise or
# another sample would make a difference of 1e-2.
ROUNDING_OF_WORKERS = 1e-3


def configurations() -> list[str]:
    """`TF_CONFIG` of two workers that reach each other on this machine."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("localhost", 0))
        cluster = {"worker": [f"localhost:{each.getsockname()[1]}" for each in sockets]}
    tasks = ({"type": "worker", "index": index} for index in range(2))
    return [json.dumps({"cluster": cluster, "task": task}) for task in tasks]


def start_workers(folder: Path, *arguments: str) -> list[Running]:
    """Starts two workers."""
    return [
        start(
            folder,
            (*arguments, "--strategy", "multiworker"),
            name=f"stderr of worker {index}",
            environment={"TF_CONFIG": configuration},
        )
        for index, configuration in enumerate(configurations())
    ]


def wait_for_updates(folder: Path, updates: int) -> None:
    """Returns once the ledger counts so many updates."""
    while not (run_folder(folder) / "ledger.json").exists() or counted(folder) < updates:
        time.sleep(0.01)
