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
from typing import Any

from tfdpzoo.durable_file import replace_durably
from tfdpzoo.errors import InputError
from tfdpzoo.tuning.parallel_coordinates import draw_parallel_coordinates
from tfdpzoo.tuning.trial_row import TrialRow

TABLE = "metrics.csv"
PICTURE = "parallel-coordinates.png"
EVENTS = "tensorboard"

_COLUMNS = ("trial", "status", "score", "seconds", "epsilon")
_SCORE = "score"


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
        _write_events(folder / EVENTS, rows)
        draw_parallel_coordinates(rows, logarithmic, folder / PICTURE)
    except OSError as error:
        raise InputError(
            f"The results of the search cannot be written to {folder}: {error.strerror}."
        ) from error


def _table(rows: Sequence[TrialRow]) -> str:
    keys = _keys(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, *keys, "reason"])
    for row in rows:
        cells = [row.trial, row.status, row.score, row.seconds, row.epsilon]
        cells += [row.settings.get(key) for key in keys]
        writer.writerow(["" if cell is None else cell for cell in [*cells, row.reason]])
    return text.getvalue()


def _write_events(folder: Path, rows: Sequence[TrialRow]) -> None:
    import tensorflow as tf
    from tensorboard.plugins.hparams import api

    shutil.rmtree(folder, ignore_errors=True)
    parameters = [api.HParam(key) for key in _keys(rows)]
    with tf.summary.create_file_writer(str(folder)).as_default():
        api.hparams_config(hparams=parameters, metrics=[api.Metric(_SCORE)])
    for row in rows:
        with tf.summary.create_file_writer(str(folder / row.trial)).as_default():
            api.hparams(dict(row.settings), trial_id=row.trial)
            if row.score is not None:
                tf.summary.scalar(_SCORE, row.score, step=0)


def _keys(rows: Sequence[TrialRow]) -> list[Any]:
    return list(dict.fromkeys(key for row in rows for key in row.settings))
