"""The trials of a search as TensorBoard's HParams plugin shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api, api_pb2, summary

from tfdpzoo.tuning.trial_row import TrialRow

_SCORE = "score"


def write_hparams(rows: Sequence[TrialRow], folder: Path) -> None:
    """Writes what the trials have in common, and a run for each of them.

    Args:
        rows: The trials.
        folder: Of the events, which does not exist.
    """
    values: dict[str, list[Any]] = {}
    for row in rows:
        for key, value in _settings(row).items():
            values.setdefault(key, []).append(value)
    parameters = [api.HParam(key, _domain(found)) for key, found in values.items()]
    with tf.summary.create_file_writer(str(folder)).as_default():
        api.hparams_config(hparams=parameters, metrics=[api.Metric(_SCORE)])
    for row in rows:
        with tf.summary.create_file_writer(str(folder / row.trial)).as_default():
            _write_trial(row)


def _write_trial(row: TrialRow) -> None:
    api.hparams(_settings(row), trial_id=row.trial)
    if row.score is not None:
        tf.summary.scalar(_SCORE, row.score, step=0)
    status = api_pb2.STATUS_FAILURE if row.score is None else api_pb2.STATUS_SUCCESS
    ended = summary.session_end_pb(status)
    tf.summary.experimental.write_raw_pb(ended.SerializeToString(), step=0)


def _settings(row: TrialRow) -> Mapping[str, Any]:
    """The settings that a trial has; what the plugin does not know becomes text."""
    return {
        key: value if isinstance(value, bool | int | float | str) else str(value)
        for key, value in row.settings.items()
        if value is not None
    }


def _domain(values: Sequence[Any]) -> api.Domain:
    """From the least to the largest value, or the list of them; others are not to be found here."""
    if all(isinstance(each, int | float) and not isinstance(each, bool) for each in values):
        return api.RealInterval(float(min(values)), float(max(values)))
    if all(isinstance(each, bool) for each in values):
        return api.Discrete(sorted(set(values)))
    return api.Discrete(sorted({str(each) for each in values}))
