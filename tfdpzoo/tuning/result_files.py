"""The result files of a search: a table, a picture, and TensorBoard's HParams.

They lie in the private folder of the search and are written anew after each trial. When losing
trials are deleted they are written once more, with the best one alone.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Sequence
from pathlib import Path

from tfdpzoo.durable_file import UNFINISHED, replace_durably
from tfdpzoo.errors import InputError
from tfdpzoo.tuning.hparams_events import write_hparams
from tfdpzoo.tuning.parallel_coordinates import draw_parallel_coordinates
from tfdpzoo.tuning.trial_row import TrialRow

TABLE = "metrics.csv"
PICTURE = "parallel-coordinates.png"
EVENTS = "tensorboard"

_COLUMNS = ("trial", "status", "score", "seconds", "epsilon")


def write_results(
    folder: Path, rows: Sequence[TrialRow], logarithmic: frozenset[str] = frozenset()
) -> None:
    """Writes all result files of a search, in the place of those before.

    Args:
        folder: Of the search.
        rows: The trials that have ended.
        logarithmic: The settings that are drawn on a logarithmic scale.

    Raises:
        InputError: A file cannot be written.
    """
    try:
        replace_durably(folder / TABLE, _table(rows).encode())
        shutil.rmtree(folder / EVENTS, ignore_errors=True)
        write_hparams(rows, folder / EVENTS)
        draw_parallel_coordinates(rows, logarithmic, folder / PICTURE)
    except OSError as error:
        raise InputError(
            f"The results of the search cannot be written to {folder}: {error.strerror}."
        ) from error


def remove_results(folder: Path) -> None:
    """Removes all result files of a search, those included that a crash left half written.

    Args:
        folder: Of the search.
    """
    shutil.rmtree(folder / EVENTS, ignore_errors=True)
    for name in (TABLE, PICTURE):
        (folder / name).unlink(missing_ok=True)
        (folder / f"{name}{UNFINISHED}").unlink(missing_ok=True)


def _table(rows: Sequence[TrialRow]) -> str:
    keys = list(dict.fromkeys(key for row in rows for key in row.settings))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, *keys, "reason"])
    for row in rows:
        cells = [row.trial, row.status, row.score, row.seconds, row.epsilon]
        cells += [row.settings.get(key) for key in keys]
        writer.writerow(["" if cell is None else cell for cell in [*cells, row.reason]])
    return text.getvalue()
