"""From a run's folder to the model that it ended with."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from stand_in import StandIn

from tfdpzoo.conversion.run import is_run, model_of_run
from tfdpzoo.data import ImageDataset, Normalization
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.errors import InputError
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_record import RunRecord, current_environment
from tfdpzoo.zoo import catalog


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run whose model goes to saved_models/small/1; it has no record yet."""
    monkeypatch.chdir(tmp_path)
    return RunFolder.create(tmp_path / "runs", catalog.recipe("tanh_cnn"))


def write_record(run: RunFolder, model: str | None) -> None:
    images, labels = np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 1, 0, 0])
    RunRecord.new(
        data_dir=None,
        memory_limit=None,
        destination=Path("saved_models/small/1"),
        engine="fast",
        strategy="none",
        replicas=None,
        environment=current_environment(tf.distribute.get_strategy()),
        initialization_seed=None,
        insecure_seed=None,
        tuning=None,
        command="tfdpzoo train",
        plan=PrivacyPlan.from_noise_multiplier(
            noise_multiplier=1.1, delta=1e-3, examples=500, batch_size=50, updates=20
        ),
        recipe=run.recipe,
        dataset=ImageDataset(
            "blank", images, labels, images, labels, ("a", "b"), Normalization.centered(1)
        ),
    ).write(run.record)
    record = dataclasses.replace(RunRecord.read(run.record), model=model)
    record.write(run.record)


def write_ledger(run: RunFolder, updates: int = 20) -> None:
    ledger = Ledger(run.ledger)
    (segment,) = StandIn().ledger.segments
    ledger.record(segment.noise_multiplier, segment.sampling_rate, updates=updates)


def test_a_run_that_has_ended_has_a_model(run, without_recipe: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(without_recipe, tmp_path / "saved_models" / "small" / "1"))
    # As it was typed, from whatever folder.
    write_record(run, "saved_models/small/1")
    write_ledger(run)

    assert is_run(run.path)
    assert model_of_run(run.path) == model


def test_a_run_that_goes_on_is_refused(run) -> None:
    write_record(run, None)
    write_ledger(run)

    assert is_run(run.path)
    with pytest.raises(InputError) as refusal:
        model_of_run(run.path)
    assert str(refusal.value) == (
        f"The run {run.path} has not ended, so it has released no model; go on with it by "
        f"`tfdpzoo train --resume {run.path}`."
    )


def test_a_run_without_privacy_is_refused(run) -> None:
    run.model_without_privacy.write_bytes(b"a model")

    assert is_run(run.path)
    with pytest.raises(InputError, match=r"is a run without privacy \(--no-dp\): there is no guar"):
        model_of_run(run.path)


def test_a_run_whose_record_is_gone_is_refused(run) -> None:
    write_ledger(run)

    with pytest.raises(InputError, match="it has no run.json"):
        model_of_run(run.path)


def test_a_model_that_was_moved_is_told(run, tmp_path: Path) -> None:
    write_record(run, "saved_models/small/2")
    write_ledger(run)

    with pytest.raises(InputError) as refusal:
        model_of_run(run.path)
    assert f"lies in {tmp_path / 'saved_models' / 'small' / '2'} no longer" in str(refusal.value)


def test_another_model_in_its_place_is_told(run, without_recipe: Path, tmp_path: Path) -> None:
    shutil.copytree(without_recipe, tmp_path / "saved_models" / "small" / "1")
    write_record(run, "saved_models/small/1")
    write_ledger(run, updates=21)

    with pytest.raises(InputError, match="is not the one that the run .* ended with"):
        model_of_run(run.path)


@pytest.mark.parametrize("name", ["nothing", "saved_models"])
def test_other_folders_are_no_runs(name: str, tmp_path: Path, without_recipe: Path) -> None:
    (tmp_path / "saved_models").mkdir()

    assert not is_run(tmp_path / name)
    assert not is_run(without_recipe)
