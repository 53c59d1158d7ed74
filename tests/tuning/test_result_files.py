"""The result files of a search: complete while it runs, silent about losers when it has ended."""

from __future__ import annotations

import csv
import struct
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.util import tensor_util

from tfdpzoo.durable_file import UNFINISHED
from tfdpzoo.errors import InputError
from tfdpzoo.tuning.result_files import EVENTS, PICTURE, TABLE, remove_results, write_results
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


def test_tensorboard_knows_ranges_lists_and_crashes(tmp_path: Path) -> None:
    words = [
        TrialRow("3", "completed", 0.5, 1.0, 1.0, {"activation": "selu", "bias": True, CLIP: 1.0}),
        TrialRow("4", "completed", 0.5, 1.0, 1.0, {"activation": "elu", "kernel": [3, 5]}),
    ]
    write_results(tmp_path, [*ROWS, *words])
    infos = _plugin_data(tmp_path / EVENTS)[0].experiment.hparam_infos
    found = {each.name: each for each in infos}
    interval = found[CLIP].domain_interval
    assert (interval.min_value, interval.max_value) == (0.1, 1.0)
    listed = {name: list(found[name].domain_discrete) for name in ("activation", "bias", "kernel")}
    assert listed == {"activation": ["elu", "selu"], "bias": [True], "kernel": ["[3, 5]"]}
    ended = [_plugin_data(tmp_path / EVENTS / trial)[-1].session_end_info.status for trial in "012"]
    assert ended == [api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE, api_pb2.STATUS_SUCCESS]


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
        [TrialRow("0", "completed", 0.5, 1.0, 1.0, {})],
        [TrialRow("0", "crashed", None, 1.0, 1.0, {})],
        [TrialRow("0", "completed", 0.5, 1.0, 1.0, {RATE: 0.0, "list": [1], "no": None})],
        # Not mathematics, although two of them would be.
        [TrialRow("0", "completed", 0.5, 1.0, 1.0, {"$a_{$": "$x_{$"})],
        [TrialRow("0", "completed", 0.5, 1.0, 1.0, {"mixed": value}) for value in (1, "auto")],
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


def test_the_picture_is_that_of_the_winner_alone(tmp_path: Path) -> None:
    """Its pixels are compressed, so that no search in its bytes could find a loser."""
    searched, alone = tmp_path / "searched", tmp_path / "alone"
    for folder in (searched, alone):
        folder.mkdir()
    write_results(searched, ROWS, frozenset({RATE}))
    all_trials = (searched / PICTURE).read_bytes()
    write_results(searched, ROWS[2:], frozenset({RATE}))
    write_results(alone, ROWS[2:], frozenset({RATE}))
    assert (searched / PICTURE).read_bytes() == (alone / PICTURE).read_bytes() != all_trials


def test_results_are_removed_with_what_a_crash_left(tmp_path: Path) -> None:
    (tmp_path / "search.json").write_text("of somebody else")
    write_results(tmp_path, ROWS)
    (tmp_path / f"{TABLE}{UNFINISHED}").write_text("half a ta")
    (tmp_path / f"{PICTURE}{UNFINISHED}").write_text("half a pic")
    remove_results(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["search.json"]
    remove_results(tmp_path)


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
