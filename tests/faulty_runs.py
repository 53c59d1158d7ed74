"""Real trainings in processes of their own, with something that goes wrong in them."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdpzoo.privacy.accounting import epsilon_by_pld
from tfdpzoo.privacy.ledger import Ledger

UPDATES = 22
TRAIN = (
    *("train", "smoothnet", "--dataset", "digits", "--epsilon", "7", "--delta", "1e-4"),
    *("--set", "width=1", "--set", "batch_size=256", "--set", f"epochs={UPDATES * 256 / 1433}"),
    *("--seed", "0", "--insecure-seed", "1", "--checkpoint-every", "3"),
)

_CALLS = ("fsync", "rename")
# Every child has TensorFlow imported already; no operation has run in it.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tfdpzoo.cli.training_session"])


@dataclass(frozen=True)
class KillAtCall:
    """SIGKILL at a call that makes a file durable: before it is made, or after it.

    Attributes:
        number: Which call, from 1.
        after: Whether the call is made first.
    """

    number: int
    after: bool = False

    def install(self) -> None:
        """Lets the calls of this process be counted."""
        _count_calls(self._at)

    def _at(self, number: int, call: Callable[[], None]) -> None:
        if number == self.number and not self.after:
            os.kill(os.getpid(), signal.SIGKILL)
        call()
        if number == self.number:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class KillAfter:
    """SIGKILL some seconds after the process began.

    Attributes:
        seconds: How many.
    """

    seconds: float

    def install(self) -> None:
        """Starts the clock."""
        timer = threading.Timer(self.seconds, os.kill, (os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()


@dataclass(frozen=True)
class FullDisk:
    """No space is left on the device from a call on that makes a file durable.

    Attributes:
        number: Which call, from 1.
    """

    number: int

    def install(self) -> None:
        """Lets the calls of this process be counted."""
        _count_calls(self._at)

    def _at(self, number: int, call: Callable[[], None]) -> None:
        if number >= self.number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        call()


Fault = KillAtCall | KillAfter | FullDisk


def _count_calls(at: Callable[[int, Callable[[], None]], None]) -> None:
    count = 0

    def counted(original: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: object) -> None:
            nonlocal count
            count += 1
            at(count, lambda: original(*arguments))

        return call

    for name in _CALLS:
        setattr(os, name, counted(getattr(os, name)))


@dataclass(frozen=True)
class Outcome:
    """How a process ended.

    Attributes:
        exit_code: Negative for a signal.
        said: What it wrote to stderr.
    """

    exit_code: int
    said: str

    @property
    def refused(self) -> bool:
        """Whether it ended for something that its user can mend, which it said in a sentence."""
        last = self.said.splitlines()[-1] if self.said else ""
        return self.exit_code == 2 and last.startswith("Error: ") and "Traceback" not in self.said


@dataclass(frozen=True, eq=False)
class Running:
    """A process of the program that has been started.

    Attributes:
        process: It.
        log: What it writes to stderr.
    """

    process: multiprocessing.process.BaseProcess
    log: Path

    def kill(self) -> None:
        """Ends it with SIGKILL."""
        self.process.kill()

    def wait(self, seconds: float | None = None) -> Outcome:
        """Waits for its end, so many seconds at most."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"still running after {seconds} s"
        return Outcome(self.process.exitcode, self.log.read_text())


def start(
    folder: Path,
    arguments: tuple[str, ...],
    fault: Fault | None = None,
    *,
    name: str = "stderr",
    environment: Mapping[str, str] | None = None,
) -> Running:
    """Starts the program in a folder.

    Args:
        folder: Where.
        arguments: What is typed after its name.
        fault: What goes wrong in it.
        name: Of the file in the folder for what it writes to stderr.
        environment: Variables that it finds beside those of this process.
    """
    folder.mkdir(exist_ok=True)
    log = folder / name
    parts = (folder, log, arguments, fault, dict(environment or {}))
    process = SERVER.Process(target=_run, args=parts)
    process.start()
    return Running(process, log)


def run(folder: Path, arguments: tuple[str, ...], fault: Fault | None = None) -> Outcome:
    """Runs the program in a folder and waits for its end."""
    return start(folder, arguments, fault).wait()


def train(folder: Path, fault: Fault | None = None) -> Outcome:
    """Begins the run."""
    return run(folder, TRAIN, fault)


def resume(folder: Path, fault: Fault | None = None, *more: str) -> Outcome:
    """Goes on with it; it is begun anew where it was killed before it had a record."""
    if not (run_folder(folder) / "run.json").exists():
        return run(folder, (*TRAIN, *more), fault)
    arguments = ("train", "--resume", str(run_folder(folder)), "--checkpoint-every", "3", *more)
    return run(folder, arguments, fault)


def run_folder(folder: Path) -> Path:
    """The folder of the newest run that began."""
    runs = sorted((folder / "runs").glob("*"), key=lambda each: each.stat().st_mtime_ns)
    begun = [each for each in runs if (each / "run.json").exists()]
    return (begun or runs or [folder / "runs" / "none"])[-1]


def counted(folder: Path) -> int:
    """The updates in the ledger."""
    return Ledger.load(run_folder(folder) / "ledger.json").updates


@dataclass(frozen=True, eq=False)
class Released:
    """What a run came to.

    Attributes:
        weights: The released weights, one after the other.
        updates: The updates that the model's guarantee covers.
        epsilon: What the ledger costs; the guarantee of a known seed states none.
    """

    weights: np.ndarray
    updates: int
    epsilon: float

    def distance(self, other: Released) -> float:
        """The largest difference of a weight."""
        return float(np.abs(self.weights - other.weights).max())


def released(folder: Path) -> Released:
    """Reads the newest model and the ledger."""
    versions = sorted((folder / "saved_models" / "smoothnet-digits").iterdir())
    record = json.loads((versions[-1] / "assets.extra" / "privacy.json").read_text())
    ledger = Ledger.load(run_folder(folder) / "ledger.json")
    return Released(
        weights_of(versions[-1]),
        record["updates"]["executed"],
        epsilon_by_pld(ledger.dp_event(), 1e-4),
    )


def weights_of(version: Path) -> np.ndarray:
    """Returns the weights of an exported model, one after the other."""
    variables = tf.train.load_checkpoint(str(version / "variables" / "variables"))
    names = sorted(name for name in variables.get_variable_to_shape_map() if name[0] != "_")
    return np.concatenate([variables.get_tensor(name).ravel() for name in names])


def _run(
    folder: Path,
    log: Path,
    arguments: tuple[str, ...],
    fault: Fault | None,
    environment: dict[str, str],
) -> None:
    os.environ.update(environment)
    os.chdir(folder)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    from tfdpzoo.cli.main import main

    if fault is not None:
        fault.install()
    sys.exit(main(arguments))
