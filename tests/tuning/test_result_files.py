"""The result files of a search: complete while it runs, silent about losers when it has ended."""

from __future__ import annotations

import csv
import struct
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

from tfdpzoo.errors import InputError
from tfdpzoo.tuning.result_files import EVENTS, PICTURE, TABLE, write_results
from tfdpzoo.tuning.trial_row import TrialRow

RATE, CLIP = "optimizer.learning_rate", "privacy.clip_norm"
ROWS = [
    TrialRow("0", "completed", 0.8125, 12.5, 1.75, {RATE: 3.1415926, CLIP: 0.3}),
    TrialRow("1", "crashed", None, 2.0, None, {RATE: 2.7182818, CLIP: 0.1}, "it said, nothing"),
    TrialRow("2", "completed", 0.9375, 13.0, 1.75, {RATE: 1.4142135, CLIP: 0.1}),
]


def test_the_table_has_all_trials(tmp_path: Path) -> None:
    write_results(tmp_path, ROWS)
    with (tmp_path / TABLE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("trial", "status", "score", "seconds", "epsilon", RATE, CLIP, "reason"),
    ]
    assert [row["trial"] for row in rows] == ["0", "1", "2"]
    assert float(rows[2]["score"]) == 0.9375 and float(rows[2][RATE]) == 1.4142135
    assert (rows[1]["score"], rows[1]["epsilon"]) == ("", "")
    assert rows[1]["reason"] == "it said, nothing"


def test_tensorboard_has_settings_and_scores(tmp_path: Path) -> None:
    """Read back by TensorBoard itself."""
    write_results(tmp_path, ROWS)
    experiment = _plugin_data(tmp_path / EVENTS)[0].experiment
    assert [each.name for each in experiment.hparam_infos] == [RATE, CLIP]
    assert [each.name.tag for each in experiment.metric_infos] == ["score"]
    started = _plugin_data(tmp_path / EVENTS / "2")[0].session_start_info.hparams
    assert {name: value.number_value for name, value in started.items()} == ROWS[2].settings
    assert _scores(tmp_path / EVENTS / "2") == [0.9375]
    assert _scores(tmp_path / EVENTS / "1") == []


@pytest.mark.parametrize(
    "rows",
    [
        [],
        ROWS[:1],
        ROWS[1:2],
        ROWS,
        [ROWS[0], TrialRow("3", "completed", 0.8125, 1.0, 1.0, {RATE: 1.0, CLIP: 0.3})],
        [ROWS[0], TrialRow("3", "completed", 0.5, 1.0, 1.0, {"architecture.activation": "selu"})],
        [TrialRow("0", "completed", 0.5, 1.0, 1.0, {f"{key}": True for key in range(8)})],
    ],
)
def test_there_is_always_a_picture(rows: list[TrialRow], tmp_path: Path) -> None:
    write_results(tmp_path, rows, frozenset({RATE}))
    width, height = struct.unpack(">II", (tmp_path / PICTURE).read_bytes()[16:24])
    assert width > 500 and height > 400


def test_nothing_is_left_of_losers(tmp_path: Path) -> None:
    """Neither in the form in which a table has a number nor in those of TensorBoard's events."""
    write_results(tmp_path, ROWS)
    loser = ROWS[0]
    traces = [
        *(repr(value).encode() for value in (loser.score, loser.settings[RATE], loser.seconds)),
        struct.pack("<f", loser.score),
        struct.pack("<d", loser.settings[RATE]),
    ]
    assert all(any(trace in content for content in _contents(tmp_path)) for trace in traces)
    write_results(tmp_path, ROWS[2:])
    assert not any(trace in content for content in _contents(tmp_path) for trace in traces)
    assert not (tmp_path / EVENTS / loser.trial).exists()


def test_a_folder_that_cannot_be_written_to_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="results of the search cannot be written"):
        write_results(tmp_path / "missing", ROWS)


def _contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def _summaries(folder: Path) -> list[Any]:
    (path,) = folder.glob("events.*")
    return [
        value
        for event in EventFileLoader(str(path)).Load()
        if event.HasField("summary")
        for value in event.summary.value
    ]


def _plugin_data(folder: Path) -> list[Any]:
    return [
        plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
        for value in _summaries(folder)
        if value.metadata.plugin_data.plugin_name == "hparams"
    ]


def _scores(folder: Path) -> list[float]:
    return [
        float(tensor_util.make_ndarray(value.tensor))
        for value in _summaries(folder)
        if value.tag == "score"
    ]
