"""The table of runs: one row a run, appended to a CSV file, with what is needed to run it again."""

from __future__ import annotations

import csv
import dataclasses
import fcntl
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.provenance import Provenance
from tfdpzoo.privacy.statement import round_up

if TYPE_CHECKING:
    from tfdpzoo.fitting import TrainingResult
    from tfdpzoo.training_job import TrainingJob

VALID = "valid"
WITHOUT_PRIVACY = "none: trained without privacy"


@dataclass(frozen=True)
class ResultRow:
    """One run, as it stands in the table; every value is text.

    Only a row with a valid guarantee states an epsilon: nobody shall quote one that does not hold.

    Attributes:
        model: The zoo's name.
        recipe: The recipe's name; what was changed for the run stands in `command`.
        dataset: The data set's name.
        epsilon: Spent, rounded up to three decimals; empty without a valid guarantee.
        delta: Of that epsilon; empty without a valid guarantee.
        accuracy: On the test images, 0 to 1.
        parameters: Of the model.
        updates: Executed.
        seconds: Wall time of training, tests after each epoch included.
        hardware: What trained.
        versions: Of the software.
        seed_class: Where the random numbers came from.
        guarantee: `"valid"`, or why there is none.
        commit: Of the code, followed by `-dirty` where files differed from it.
        command: What was typed.
        date: When the run ended, UTC.

    Raises:
        InputError: An epsilon is stated without a valid guarantee, or is missing with one.
    """

    model: str
    recipe: str
    dataset: str
    epsilon: str
    delta: str
    accuracy: str
    parameters: str
    updates: str
    seconds: str
    hardware: str
    versions: str
    seed_class: str
    guarantee: str
    commit: str
    command: str
    date: str

    def __post_init__(self) -> None:
        if self.guarantee == VALID and not (self.epsilon and self.delta):
            raise InputError("A result with a valid guarantee must state its epsilon and delta.")
        if self.guarantee != VALID and (self.epsilon or self.delta):
            raise InputError(
                f"A result without a valid guarantee ({self.guarantee or 'unknown'}) must not "
                "state an epsilon: leave epsilon and delta empty."
            )

    @classmethod
    def of_run(
        cls, job: TrainingJob, result: TrainingResult, *, seed_class: str, command: str
    ) -> ResultRow:
        """Makes the row of a run that has ended.

        Args:
            job: What was run.
            result: What it came to.
            seed_class: For example `"secret entropy; initialisation seed 0"`.
            command: What was typed to run it.
        """
        guarantee = result.guarantee
        valid = guarantee is not None and guarantee.valid
        provenance = guarantee.provenance if guarantee is not None else Provenance.current()
        return cls(
            model=job.recipe.model,
            recipe=job.recipe.name,
            dataset=job.dataset.name,
            epsilon=round_up(guarantee.epsilon, 3) if guarantee is not None and valid else "",
            delta=f"{guarantee.delta:g}" if guarantee is not None and valid else "",
            accuracy=f"{result.accuracy:.4f}",
            parameters=str(job.model.count_params()),
            updates=str(result.updates),
            seconds=f"{result.seconds:.1f}",
            hardware=provenance.hardware,
            versions=_versions(provenance),
            seed_class=seed_class,
            guarantee=(
                WITHOUT_PRIVACY
                if guarantee is None
                else VALID
                if valid
                else f"invalid: {' '.join(guarantee.weaknesses)}"
            ),
            commit=provenance.commit or "unknown",
            command=command,
            date=provenance.date,
        )


COLUMNS = tuple(field.name for field in dataclasses.fields(ResultRow))


def check_results(path: str | Path) -> None:
    """Checks that a row can be appended to a table, before the work that leads to it.

    Args:
        path: The CSV file; it need not exist.

    Raises:
        InputError: The file is no such table, or cannot be written.
    """
    path = Path(path)
    if path.exists():
        with _open(path) as file:
            _require_columns(path, file)
    elif not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(
            f"The results cannot be recorded in {path}: {path.parent} is no folder that can be "
            "written to."
        )


def append_result(path: str | Path, row: ResultRow) -> None:
    """Appends a row; the first one is preceded by the names of the columns.

    The file is locked meanwhile, so that runs that end together do not mix their rows.

    Args:
        path: The CSV file; it is made where it is missing, its folder is not.
        row: The run.

    Raises:
        InputError: The file is no such table, or cannot be written.
    """
    path = Path(path)
    with _open(path) as file:
        rows = [] if _require_columns(path, file) else [list(COLUMNS)]
        rows.append([getattr(row, column) for column in COLUMNS])
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        file.seek(0, os.SEEK_END)
        file.write(text.getvalue().encode())
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
    except OSError as error:
        raise InputError(
            f"The results cannot be recorded in {path} ({error.strerror}); give another file."
        ) from error


def _require_columns(path: Path, file: BinaryIO) -> bool:
    """Says whether the table has its head already; refuses any other file."""
    file.seek(0)
    content = file.read()
    if not content:
        return False
    head = content.split(b"\n", 1)[0].decode(errors="replace").strip()
    if head != ",".join(COLUMNS):
        raise InputError(
            f"{path} is no table of results: its first line must be {','.join(COLUMNS)}."
        )
    if not content.endswith(b"\n"):
        raise InputError(f"The last line of {path} is cut off; mend or remove it.")
    return True


def _versions(provenance: Provenance) -> str:
    named = {
        "tfdpzoo": provenance.tfdpzoo,
        "tensorflow": provenance.tensorflow,
        "keras": provenance.keras,
        "tensorflow-privacy": provenance.tensorflow_privacy,
        "dp-accounting": provenance.dp_accounting,
        "python": provenance.python,
    }
    return ", ".join(f"{name} {version}" for name, version in named.items() if version)
