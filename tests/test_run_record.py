"""What a run remembers of how it began."""

from __future__ import annotations

import dataclasses
import json
import stat
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfdpzoo.data import ImageDataset, Normalization
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.errors import InputError
from tfdpzoo.run_record import ModelFile, RunRecord, current_environment, digest_of_data


def dataset(pixel: int = 0, label: int = 0) -> ImageDataset:
    images = np.zeros((4, 8, 8, 1), np.uint8)
    images[2, 3, 4, 0] = pixel
    labels = np.array([0, 1, label, 0])
    return ImageDataset(
        "blank", images, labels, images, labels, ("a", "b"), Normalization.centered(1)
    )


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    (tmp_path / "recipe.toml").write_text("name = 'a'\n")
    return RunRecord.new(
        data_dir=None,
        memory_limit=1 << 20,
        destination=Path("saved_models/a/1"),
        engine="fast",
        strategy="none",
        replicas=None,
        environment=current_environment(tf.distribute.get_strategy()),
        initialization_seed=3,
        insecure_seed=None,
        tuning="public",
        command="tfdpzoo train smoothnet",
        plan=PrivacyPlan.from_noise_multiplier(
            noise_multiplier=1.1, delta=1e-3, examples=500, batch_size=50, updates=20
        ),
        recipe=tmp_path / "recipe.toml",
        dataset=dataset(),
    )


def test_it_is_read_as_it_was_written(tmp_path: Path, record: RunRecord) -> None:
    path = tmp_path / "run.json"
    record.write(path)

    assert RunRecord.read(path) == record
    assert "1 replica" in record.environment
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    record.write(path)  # As often as wanted.


def test_the_file_of_an_own_model_is_remembered(tmp_path: Path, record: RunRecord) -> None:
    own = dataclasses.replace(record, model_file=ModelFile("net.py", "build", "0" * 64))
    own.write(tmp_path / "run.json")

    assert RunRecord.read(tmp_path / "run.json") == own


def test_a_run_that_began_before_there_were_own_models_goes_on(
    tmp_path: Path, record: RunRecord
) -> None:
    path = tmp_path / "run.json"
    record.write(path)
    fields = json.loads(path.read_text())
    del fields["model_file"]
    path.write_text(json.dumps(fields))

    assert RunRecord.read(path) == record


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not the folder of a run that can go on"):
        RunRecord.read(tmp_path / "run.json")


@pytest.mark.parametrize("change", [("0.001", "0.002"), ("}", ""), ('"engine"', '"motor"')])
def test_a_record_that_was_damaged_is_refused(
    tmp_path: Path, record: RunRecord, change: tuple[str, str]
) -> None:
    path = tmp_path / "run.json"
    record.write(path)
    path.write_text(path.read_text().replace(*change))

    with pytest.raises(InputError, match="is damaged or was altered; put back what tfdpzoo wrote"):
        RunRecord.read(path)


def test_a_record_of_another_format_is_refused(tmp_path: Path, record: RunRecord) -> None:
    path = tmp_path / "run.json"
    dataclasses.replace(record, format="tfdpzoo run 2").write(path)

    with pytest.raises(InputError, match="was written by another version of tfdpzoo"):
        RunRecord.read(path)


def test_other_images_or_labels_have_another_digest() -> None:
    same, again = (digest_of_data(dataset(), "a") for _ in range(2))
    others = {
        digest_of_data(dataset(pixel=1), "a"),
        digest_of_data(dataset(label=1), "a"),
        digest_of_data(dataset(), "b"),
    }

    assert same == again
    assert len(others | {same}) == 4
