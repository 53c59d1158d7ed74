"""The process of one contender: it waits, and executes a step whenever it is told to.

It gets what to do as JSON on its command line, says what it has made in a first line of JSON, and
answers every line that it reads with another. The driver is `benchmarks.driver`.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import pkgutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.training_step import StepSettings, TrainingStep


def main(task: dict[str, Any]) -> None:
    """Answers the driver until it ends this process.

    Args:
        task: The fields of a `Contender` and of `StepSettings`, and how many threads to compute on.
    """
    # What libraries print goes to standard error from now on.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _be_modest(task["threads"])
    try:
        for answer in _answers(Contender(**task["contender"]), StepSettings(**task["settings"])):
            print(json.dumps(answer), file=answers, flush=True)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        failure = {"failure": f"{type(error).__name__}: {reason}"}
        print(json.dumps(failure), file=answers, flush=True)


def _be_modest(threads: int | None) -> None:
    # Every framework makes as many threads as it may use cores.
    if threads is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    # Where memory runs out, this process has to go and no other one of the machine.
    Path("/proc/self/oom_score_adj").write_text("1000")


def _answers(contender: Contender, settings: StepSettings) -> Iterator[dict[str, Any]]:
    """Yields fields of a `Measurement`: first of what was made, then of each step."""
    step: TrainingStep = pkgutil.resolve_name(contender.step)(settings)
    for _ in range(contender.warm_up):
        step.run()
    yield {
        "parameters": step.parameters,
        "device": step.device,
        "chunk": step.chunk,
        "versions": {name: importlib.metadata.version(name) for name in contender.packages},
    }
    for _ in sys.stdin:
        began = time.perf_counter()
        step.run()
        seconds = time.perf_counter() - began
        yield {"seconds": float(f"{seconds:.4g}"), "peak_mb": round(_peak_bytes(step) / 1e6)}


def _peak_bytes(step: TrainingStep) -> int:
    if step.device_peak is not None:
        return step.device_peak()
    status = Path("/proc/self/status").read_text()
    kibibytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return 1024 * int(kibibytes)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
