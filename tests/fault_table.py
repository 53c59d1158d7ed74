"""`make faults`: injects faults into real trainings and prints what became of them.

A run survives a fault if it goes on, or ends with a sentence and goes on once the fault is mended,
and comes to the same weights, bit by bit, as a run that nothing happened to.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faulty_runs import (
    TRAIN,
    UPDATES,
    Fault,
    FullDisk,
    KillAfter,
    KillAtCall,
    Released,
    counted,
    released,
    resume,
    run,
    run_folder,
    train,
)
from real_workers import BOUND, ROUNDING_OF_WORKERS, start_workers, wait_for_updates
from rich.console import Console
from rich.table import Table

from tfdpzoo.run_lock import locked

_KILLS_AT_CALLS, _KILLS_AT_TIMES = 14, 8
_CALLS_OF_A_RUN = 90
_SECONDS_OF_A_RUN = 12.0


@dataclass
class Row:
    """What was tried with one kind of fault.

    Attributes:
        name: The fault.
        injected: How often.
        survived: How many of these.
        lost: Updates that are missing from the ledger or the weights.
        epsilon_error: Largest difference to the undisturbed run's.
        remarks: What went wrong.
    """

    name: str
    injected: int = 0
    survived: int = 0
    lost: int = 0
    epsilon_error: float = 0.0
    remarks: list[str] = field(default_factory=list)

    def compare(
        self, folder: Path, expected: Released, times: int = 1, rounding: float = 0.0
    ) -> None:
        """Compares what a run with so many faults has come to."""
        found = released(folder)
        self.injected += times
        self.lost += abs(expected.updates - found.updates)
        self.epsilon_error = max(self.epsilon_error, abs(found.epsilon - expected.epsilon))
        distance = found.distance(expected)
        self.survived += times * (distance <= rounding)
        if distance > rounding:
            self.remarks.append(f"{folder.name}: a weight differs by {distance:.1e}")


def main(names: Sequence[str]) -> int:
    """Runs the faults of some names, or all; returns 0 if all was survived and nothing lost."""
    console = Console()
    work = Path(tempfile.mkdtemp(prefix="faults-"))
    console.print("the run that nothing happens to ...")
    assert train(work / "undisturbed").exit_code == 0
    expected = released(work / "undisturbed")
    assert expected.updates == UPDATES
    rows = []
    for name, inject in _FAULTS.items():
        if names and name not in names:
            continue
        console.print(f"{name} ...")
        row = Row(name)
        inject(row, work, expected)
        rows.append(row)
    console.print(_table(rows))
    for row in rows:
        for remark in row.remarks:
            console.print(f"{row.name}: {remark}")
    good = all(
        row.survived == row.injected and not row.lost and not row.epsilon_error for row in rows
    )
    if good:
        shutil.rmtree(work)
    return 0 if good else 1


def _table(rows: list[Row]) -> Table:
    table = Table("fault", "injected", "survived", "lost updates", "epsilon error")
    everything = Row("all")
    for row in rows:
        for name in ("injected", "survived", "lost"):
            setattr(everything, name, getattr(everything, name) + getattr(row, name))
        everything.epsilon_error = max(everything.epsilon_error, row.epsilon_error)
    for row in (*rows, everything):
        counts = (row.injected, row.survived, row.lost)
        table.add_row(row.name, *map(str, counts), f"{row.epsilon_error:g}")
    return table


def _chain(row: Row, folder: Path, expected: Released, faults: list[Fault]) -> None:
    """One run, killed again and again until it has come to its end."""
    begin, killed, left = train, 0, list(faults)
    while True:
        ended = begin(folder, left.pop(0) if left else None)
        begin = resume
        if ended.exit_code == 0:
            break
        assert ended.exit_code == -9, ended
        killed += 1
    row.compare(folder, expected, times=killed)


def _kills_at_calls(row: Row, work: Path, expected: Released) -> None:
    drawn = random.Random(0)
    number = 0
    while row.injected < _KILLS_AT_CALLS:
        number += 1
        kills: list[Fault] = [
            KillAtCall(drawn.randrange(1, _CALLS_OF_A_RUN), after=drawn.random() < 0.5)
            for _ in range(4)
        ]
        _chain(row, work / f"calls-{number}", expected, kills)


def _kills_at_times(row: Row, work: Path, expected: Released) -> None:
    drawn = random.Random(1)
    number = 0
    while row.injected < _KILLS_AT_TIMES:
        number += 1
        kills: list[Fault] = [KillAfter(drawn.uniform(0.5, _SECONDS_OF_A_RUN)) for _ in range(3)]
        _chain(row, work / f"times-{number}", expected, kills)


def _full_disk(row: Row, work: Path, expected: Released) -> None:
    for number in (3, 20, 41, 60):
        folder = work / f"disk-{number}"
        ended = train(folder, FullDisk(number))
        assert ended.refused and "No space left" in ended.said, ended
        assert resume(folder).exit_code == 0
        row.compare(folder, expected)


def _stopped(work: Path, name: str) -> Path:
    """A run that was killed after a dozen updates."""
    folder = work / name
    assert train(folder, KillAtCall(50)).exit_code == -9
    assert 0 < counted(folder) < UPDATES
    return folder


def _refused_until_mended(
    row: Row, folder: Path, expected: Released, path: Path, change: Callable[[Path], None]
) -> None:
    """Changes a file, wants a sentence, puts it back and goes on."""
    before, spent = path.read_bytes(), counted(folder)
    change(path)
    ended = resume(folder)
    assert ended.refused, ended
    path.write_bytes(before)
    assert counted(folder) == spent
    assert resume(folder).exit_code == 0
    row.compare(folder, expected)


def _damaged_checkpoint(row: Row, work: Path, expected: Released) -> None:
    for name, damage in _DAMAGES.items():
        folder = _stopped(work, f"checkpoint-{name}")
        damage(sorted((run_folder(folder) / "checkpoints").iterdir())[-1])
        assert resume(folder).exit_code == 0
        row.compare(folder, expected)


def _foreign_checkpoint(row: Row, work: Path, expected: Released) -> None:
    other, folder = _stopped(work, "foreign-other"), _stopped(work, "foreign")
    newest = sorted((run_folder(folder) / "checkpoints").iterdir())[-1]
    foreign = sorted((run_folder(other) / "checkpoints").iterdir())[-1].read_bytes()
    _refused_until_mended(
        row, folder, expected, newest, lambda path: _ignore(path.write_bytes(foreign))
    )


def _changed_files(row: Row, work: Path, expected: Released) -> None:
    for name in ("recipe.toml", "ledger.json", "run.json", "key"):
        folder = _stopped(work, f"changed-{name}")
        _refused_until_mended(row, folder, expected, run_folder(folder) / name, _append_a_line)


def _second_process(row: Row, work: Path, expected: Released) -> None:
    folder = _stopped(work, "second")
    with locked(run_folder(folder) / "lock"):
        ended = resume(folder)
    assert ended.refused and "Another process" in ended.said, ended
    assert resume(folder).exit_code == 0
    row.compare(folder, expected)


def _killed_workers(row: Row, work: Path, expected: Released) -> None:
    """The worker that leads, or the other; then both go on."""
    for victim in (0, 1):
        folder = work / f"worker-{victim}"
        workers = start_workers(folder, *TRAIN)
        wait_for_updates(folder, UPDATES // 2)
        workers.pop(victim).kill()
        left = workers[0].wait(BOUND)
        assert left.refused and "Another worker of the cluster was lost" in left.said, left
        resumed = start_workers(folder, "train", "--resume", str(run_folder(folder)))
        assert [worker.wait(BOUND).exit_code for worker in resumed] == [0, 0]
        row.compare(folder, expected, rounding=ROUNDING_OF_WORKERS)


def _lost_key(row: Row, work: Path, expected: Released) -> None:
    """What was executed counts; weights are others, since the draws are."""
    folder = _stopped(work, "key")
    (run_folder(folder) / "key").unlink()
    assert resume(folder).exit_code == 0
    found = released(folder)
    row.injected += 1
    row.lost += abs(found.updates - expected.updates)
    row.epsilon_error = abs(found.epsilon - expected.epsilon)
    row.survived += found.distance(expected) > 0


def _spent_budget(row: Row, work: Path, expected: Released) -> None:
    """Nothing trains beyond the plan, with or without further epochs."""
    folder = work / "spent"
    assert run(folder, TRAIN).exit_code == 0
    for more in ((), ("--epochs", "+1")):
        ended = resume(folder, None, *more)
        assert ended.refused, ended
        row.compare(folder, expected)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _append_a_line(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"# changed\n")


def _ignore(_: object) -> None:
    return None


_DAMAGES = {"truncated": _truncate, "flipped": _flip, "empty": _empty}
_FAULTS: dict[str, Callable[[Row, Path, Released], None]] = {
    "killed while files are written": _kills_at_calls,
    "killed at any time": _kills_at_times,
    "disk full": _full_disk,
    "checkpoint damaged": _damaged_checkpoint,
    "checkpoint of another run": _foreign_checkpoint,
    "recipe, ledger, record or key changed": _changed_files,
    "second process": _second_process,
    "worker of a cluster killed": _killed_workers,
    "key lost": _lost_key,
    "budget spent": _spent_budget,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
