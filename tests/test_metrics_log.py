from __future__ import annotations

import csv
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdpzoo.metrics_log import EpochRow, MetricsLog

_EXAMPLES, _BATCH, _EPOCHS = 32, 8, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log")


@pytest.fixture(scope="module")
def observed(folder: Path) -> list[EpochRow]:
    """The rows of a small ordinary training, as an observer saw them."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    schedule = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=12)
    model.compile(
        optimizer=keras.optimizers.SGD(schedule),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    inputs, labels = np.ones((_EXAMPLES, 4), "float32"), np.arange(_EXAMPLES) % 3
    rows: list[EpochRow] = []
    log = MetricsLog(
        folder / "metrics.csv",
        folder / "events",
        _BATCH,
        lambda updates: updates / 2,
        (rows.append,),
    )
    model.fit(
        inputs,
        labels,
        batch_size=_BATCH,
        epochs=_EPOCHS,
        validation_data=(inputs[:9], labels[:9]),
        callbacks=[log],
        verbose=0,
    )
    assert rows == log.rows
    return rows


def test_updates_and_epsilon_are_counted_over_epochs(observed: list[EpochRow]) -> None:
    assert [row.epoch for row in observed] == [1, 2, 3]
    assert [row.updates for row in observed] == [4, 8, 12]
    assert [row.epsilon for row in observed] == [2.0, 4.0, 6.0]
    assert observed[-1].learning_rate == pytest.approx(0.0, abs=1e-9)


def test_the_throughput_leaves_tests_out(observed: list[EpochRow]) -> None:
    ends = [0.0, *(row.seconds for row in observed)]
    for row, began, ended in zip(observed, ends[:-1], ends[1:], strict=True):
        assert row.examples_per_second > _EXAMPLES / (ended - began)


def test_the_file_holds_every_row_and_labels_what_is_not_private(
    observed: list[EpochRow], folder: Path
) -> None:
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]

    assert len(rows) == _EPOCHS
    assert float(rows[-1]["test_accuracy"]) == observed[-1].test_accuracy
    assert float(rows[-1]["training_loss_not_private"]) == observed[-1].training_loss
    assert "training_loss" not in rows[0]
    assert "training_accuracy" not in rows[0]


def test_the_events_hold_the_same(observed: list[EpochRow], folder: Path) -> None:
    (path,) = (folder / "events").iterdir()
    values = {}
    for record in tf.data.TFRecordDataset(str(path)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            values[value.tag, event.step] = float(tf.make_ndarray(value.tensor))

    assert values["test_accuracy", 12] == pytest.approx(observed[-1].test_accuracy)
    assert values["epsilon", 4] == 2.0
    assert ("training_accuracy_not_private", 12) in values
    assert ("training_accuracy", 12) not in values


def test_a_run_without_privacy_has_no_epsilon(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="sgd", loss=loss, metrics=["accuracy"])
    log = MetricsLog(tmp_path / "metrics.csv", tmp_path / "events", 8)
    data = np.ones((8, 4), "float32"), np.zeros(8, "int64")

    model.fit(*data, validation_data=data, callbacks=[log], verbose=0)

    assert log.rows[0].epsilon is None
    with (tmp_path / "metrics.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["epsilon"] == ""
