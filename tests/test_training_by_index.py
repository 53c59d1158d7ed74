"""Training and evaluation on images that are read by index."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
from image_sources import CLASSES, SIDE, TEST, TRAIN, examples

from tfdpzoo.checkpoint_interval import CheckpointInterval
from tfdpzoo.data import ImageDataset, Normalization
from tfdpzoo.data.indexed import DecodedImages
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError
from tfdpzoo.evaluation import evaluate_saved_model
from tfdpzoo.fitting import TrainingResult
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.recipe import OptimizerSettings, PrivacySettings, Recipe
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_record import digest_of_data
from tfdpzoo.trained_weights import Durability
from tfdpzoo.training import train
from tfdpzoo.training_job import TrainingJob, prepare
from tfdpzoo.training_without_privacy import train_without_privacy

BATCH, EPOCHS = 6, 2
UPDATES = EPOCHS * TRAIN // BATCH
RECIPE = Recipe(
    name="tiny",
    model="dense",
    description="A test",
    dataset="noise",
    privacy=PrivacySettings(
        epsilon=8.0, delta=1e-3, batch_size=BATCH, epochs=EPOCHS, clip_norm=1.0
    ),
    optimizer=OptimizerSettings("sgd", 0.5, "cosine"),
    averaging_decay=0.9,
)
(TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS) = examples(TRAIN), examples(TEST, seed=1)
IN_MEMORY = ImageDataset(
    "noise",
    TRAIN_IMAGES,
    TRAIN_LABELS,
    TEST_IMAGES,
    TEST_LABELS,
    CLASSES,
    Normalization.centered(1),
)


class Damage(keras.callbacks.Callback):
    """Images that can no longer be read after some updates."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Counts down."""
        self.left -= 1

    def require_none(self, index: int) -> None:
        """Raises once the images are damaged."""
        if self.left <= 0:
            raise InputError(f"The image {index} cannot be read.")


def by_index(damage: Damage | None = None, split: str = "train") -> ImageDataset:
    def images(pixels: np.ndarray, damage: Damage | None) -> DecodedImages:
        def decode(index: int) -> np.ndarray:
            if damage is not None:
                damage.require_none(index)
            return pixels[index]

        return DecodedImages(pixels.shape, decode)

    return dataclasses.replace(
        IN_MEMORY,
        train_images=images(TRAIN_IMAGES, damage if split == "train" else None),
        test_images=images(TEST_IMAGES, damage if split == "test" else None),
    )


def job_of(dataset: ImageDataset) -> TrainingJob:
    def dense(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
        return keras.Sequential(
            [keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(classes)]
        )

    return prepare(RECIPE, dataset, dense, initialization_seed=0)


def trained(dataset: ImageDataset, place: Path, **arguments: object) -> TrainingResult:
    folder = RunFolder.create(place / "runs", RECIPE)
    key = SecretKey.from_seed(5)
    return train(job_of(dataset), folder, place / "models" / "1", key=key, **arguments)


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    return trained(IN_MEMORY, tmp_path_factory.mktemp("in_memory"))


def test_a_run_is_the_same_however_its_images_are_read(
    tmp_path: Path, in_memory: TrainingResult
) -> None:
    result = trained(by_index(), tmp_path)

    assert result.updates == in_memory.updates == UPDATES
    for row, expected in zip(result.rows, in_memory.rows, strict=True):
        assert row.test_accuracy == expected.test_accuracy
        assert row.test_loss == pytest.approx(expected.test_loss, rel=1e-5)
        assert row.epsilon == expected.epsilon


def test_a_run_without_privacy_reads_by_index_as_well(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "runs", RECIPE)
    result = train_without_privacy(job_of(by_index()), folder)

    assert result.updates == UPDATES
    assert np.isfinite(result.loss)


@pytest.mark.parametrize("batch_size", [1, 4, 256])
def test_an_exported_model_has_the_same_evaluation(
    in_memory: TrainingResult, batch_size: int
) -> None:
    found, expected = (
        evaluate_saved_model(in_memory.model_path, images, TEST_LABELS, batch_size)
        for images in (by_index().test_images, TEST_IMAGES)
    )

    assert found == expected
    assert found.loss == pytest.approx(in_memory.loss, rel=1e-5)


def test_images_of_another_size_than_the_models_are_refused(in_memory: TrainingResult) -> None:
    images = DecodedImages((TEST, 8, 8, 1), lambda index: np.zeros((8, 8, 1), np.uint8))

    with pytest.raises(InputError, match=f"takes images of shape {SIDE} x {SIDE} x 1; these are"):
        evaluate_saved_model(in_memory.model_path, images, TEST_LABELS)


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_image_that_is_damaged_meanwhile_ends_the_run_after_its_last_checkpoint(
    tmp_path: Path, split: str
) -> None:
    damage = Damage(after=4)
    with pytest.raises(InputError, match=r"^The image \d+ cannot be read\.$"):
        trained(
            by_index(damage, split),
            tmp_path,
            durability=Durability(CheckpointInterval(updates=1)),
            callbacks=[damage],
        )

    (run,) = (tmp_path / "runs").iterdir()
    checkpoints = sorted(each.name for each in (run / "checkpoints").iterdir())
    # What was read ahead trains still; the test images are read at the epoch's end.
    assert checkpoints[-1] in [f"{update:09d}.checkpoint" for update in range(4, 8)]
    assert Ledger.load(run / "ledger.json").updates >= 4
    assert not (tmp_path / "models").exists()


def test_an_image_that_cannot_be_read_without_privacy_is_the_same_sentence(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "runs", RECIPE)

    with pytest.raises(InputError, match=r"^The image \d+ cannot be read\.$"):
        train_without_privacy(job_of(by_index(Damage(after=0))), folder)


def test_a_private_model_evaluates_to_the_same(tmp_path: Path) -> None:
    from tfdpzoo.data.streams import batches_in_order

    job = job_of(IN_MEMORY)
    private = PrivateModel(job.model, job.plan, key=SecretKey.from_seed(0))
    private.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    expected = private.evaluate(TEST_IMAGES, TEST_LABELS, batch_size=4, verbose=0)
    batches = batches_in_order(by_index().test_images, TEST_LABELS, 4)

    assert private.evaluate(batches, verbose=0) == expected
    broken = batches_in_order(by_index(Damage(0), "test").test_images, TEST_LABELS, 4)
    with pytest.raises(InputError, match=r"^The image 0 cannot be read\.$"):
        private.evaluate(broken, verbose=0)


def test_the_digest_does_not_depend_on_how_images_are_read(monkeypatch) -> None:
    expected = digest_of_data(IN_MEMORY, "a")

    assert digest_of_data(by_index(), "a") == expected
    monkeypatch.setattr("tfdpzoo.run_record._BYTES_AT_ONCE", 7 * SIDE * SIDE)
    assert digest_of_data(by_index(), "a") == digest_of_data(IN_MEMORY, "a") == expected
    assert digest_of_data(by_index(), "b") != expected
