"""The same recipe without privacy learns, and claims nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import pytest
from small_jobs import UPDATES, job_of, tiny_recipe

from tfdpzoo.dpsgd.augmentation import Augmentation
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.training_without_privacy import train_without_privacy


def test_training_without_privacy_learns_and_claims_nothing(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "runs", tiny_recipe())
    # Unclipped, a learning rate that suits clipped gradients diverges.
    job = job_of(recipe=tiny_recipe(learning_rate=1.0))

    result = train_without_privacy(job, run)

    assert result.accuracy > 0.9
    assert result.guarantee is None
    assert result.updates == UPDATES
    assert all(row.epsilon is None for row in result.rows)
    assert result.model_path == run.model_without_privacy
    assert not run.ledger.exists()
    loaded = keras.models.load_model(result.model_path)
    logits = loaded.predict(job.dataset.test_images.astype("float32"), verbose=0)
    found = (logits.argmax(axis=1) == job.dataset.test_labels).mean()
    assert found == pytest.approx(result.accuracy)


def test_training_without_privacy_sees_the_views_as_well(tmp_path: Path) -> None:
    recipe = dataclasses.replace(
        tiny_recipe(learning_rate=1.0), augmentation=Augmentation(multiplicity=3, flip=True)
    )
    run = RunFolder.create(tmp_path / "runs", recipe)

    assert train_without_privacy(job_of(recipe=recipe), run).accuracy > 0.9
