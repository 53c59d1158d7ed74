from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_jobs import BATCH, EPOCHS, EXAMPLES, UPDATES, dense, job_of, stripes, tiny_recipe

from tfdpzoo import training
from tfdpzoo.checkpoint_interval import CheckpointInterval
from tfdpzoo.dpsgd.augmentation import Augmentation
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError
from tfdpzoo.fitting import TrainingResult
from tfdpzoo.model_facts import FACTS_FILE, ModelFacts
from tfdpzoo.privacy import accounting
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.recipe import Recipe
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.trained_weights import Durability
from tfdpzoo.training import train


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def folder(place: Path) -> RunFolder:
    return RunFolder.create(place / "runs", tiny_recipe())


@pytest.fixture(scope="module")
def result(place: Path, folder: RunFolder) -> TrainingResult:
    return train(job_of(initialization_seed=0), folder, place / "models" / "3")


def test_a_model_that_does_not_fit_into_memory_is_a_sentence() -> None:
    def enormous(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    with pytest.raises(InputError, match="weights of dense do not fit into memory"):
        job_of(enormous)


def test_a_shift_beyond_the_image_is_refused_before_anything_is_counted() -> None:
    recipe = dataclasses.replace(tiny_recipe(), augmentation=Augmentation(multiplicity=2, shift=8))
    with pytest.raises(InputError, match="augmentation.shift is 8, but the images are 8 x 8"):
        job_of(recipe=recipe)
    job = dataclasses.replace(job_of(), recipe=recipe)
    with pytest.raises(InputError, match="augmentation.shift is 8"):
        PrivateModel(job.model, job.plan, augmentation=recipe.augmentation)


def test_training_executes_the_plan_and_learns(result: TrainingResult, folder: RunFolder) -> None:
    assert result.updates == UPDATES == Ledger.load(folder.ledger).updates
    assert [row.updates for row in result.rows] == [5, 10]
    assert result.accuracy > 0.9
    assert result.discarded_examples == 0
    assert result.seconds > 0


def test_the_recorded_epsilon_is_that_of_the_executed_updates(
    result: TrainingResult, folder: RunFolder
) -> None:
    (segment,) = Ledger.load(folder.ledger).segments
    event = accounting.poisson_gaussian_event(segment.noise_multiplier, BATCH / EXAMPLES, UPDATES)

    assert result.guarantee is not None
    assert result.guarantee.valid
    assert result.guarantee.epsilon == accounting.epsilon_by_pld(event, 1e-3)
    assert result.rows[-1].epsilon == pytest.approx(result.guarantee.epsilon)
    assert 7.9 < result.guarantee.epsilon <= 8.0


def test_the_model_carries_guarantee_classes_and_test_metrics(result: TrainingResult) -> None:
    assert result.model_path.name == "3"
    extra = result.model_path / "assets.extra"
    record = json.loads((extra / "privacy.json").read_text())

    assert json.loads((extra / "classes.json").read_text()) == ["rows", "columns"]
    metrics = {each["name"]: each["value"] for each in record["evaluation"]["metrics"]}
    assert metrics == {"accuracy": result.accuracy, "loss": result.loss}


def test_a_card_finds_test_metrics_and_nothing_of_training_examples(
    result: TrainingResult,
) -> None:
    facts = ModelFacts.read(result.model_path)

    assert facts is not None and facts.training is not None
    confusion = np.asarray(facts.training.confusion)
    assert confusion.sum(axis=1).tolist() == np.bincount(stripes().test_labels).tolist()
    assert confusion.trace() / confusion.sum() == pytest.approx(result.accuracy)
    assert [point.updates for point in facts.training.curve] == [5, 10]
    assert facts.training.curve[-1].test_accuracy == result.accuracy
    assert facts.training.dataset == "stripes"
    text = (result.model_path / FACTS_FILE).read_text()
    for row in result.rows:
        assert str(row.training_loss) not in text
    assert "training_" not in text


def test_the_exported_model_is_the_one_that_was_tested(result: TrainingResult) -> None:
    dataset = stripes()
    serve = tf.saved_model.load(str(result.model_path)).signatures["serving_default"]

    logits = serve(images=tf.constant(dataset.test_images, tf.float32))["logits"].numpy()

    assert (logits.argmax(axis=1) == dataset.test_labels).mean() == pytest.approx(result.accuracy)


def test_the_log_and_the_curve_are_there(result: TrainingResult, folder: RunFolder) -> None:
    assert len(folder.metrics.read_text().splitlines()) == 1 + EPOCHS
    assert folder.learning_curve.read_bytes().startswith(b"\x89PNG")
    assert any(folder.events.iterdir())


def test_the_initialisation_seed_fixes_the_weights_and_nothing_else() -> None:
    first, second, other = (job_of(initialization_seed=seed).model for seed in (1, 1, 2))

    assert np.array_equal(first.weights[0], second.weights[0])
    assert not np.array_equal(first.weights[0], other.weights[0])


def test_two_runs_from_one_initialisation_differ(place: Path, result: TrainingResult) -> None:
    again = train(
        job_of(initialization_seed=0),
        RunFolder.create(place / "runs", tiny_recipe()),
        place / "again" / "1",
    )

    assert again.loss != result.loss


def test_a_known_key_repeats_the_run_and_makes_it_invalid(tmp_path: Path) -> None:
    results = []
    for name in ("1", "2"):
        folder = RunFolder.create(tmp_path / "runs", tiny_recipe())
        key = SecretKey.from_seed(5)
        job = job_of(initialization_seed=0)
        results.append(train(job, folder, tmp_path / name, key=key))

    assert results[0].loss == pytest.approx(results[1].loss, rel=1e-5)
    assert all(each.guarantee is not None and not each.guarantee.valid for each in results)


def test_an_existing_version_is_refused_before_training(tmp_path: Path, folder: RunFolder) -> None:
    (tmp_path / "1").mkdir()

    with pytest.raises(InputError, match="never overwritten; the next free version is 2"):
        train(job_of(), folder, tmp_path / "1")


def test_a_version_that_appears_meanwhile_is_neither_overwritten_nor_costs_the_run(
    tmp_path: Path,
) -> None:
    run = RunFolder.create(tmp_path / "runs", tiny_recipe())
    destination = tmp_path / "models" / "1"

    result = train(
        job_of(),
        run,
        destination,
        observers=(lambda _: destination.mkdir(parents=True, exist_ok=True),),
    )

    assert result.model_path == tmp_path / "models" / "2"
    assert not any(destination.iterdir())


def test_a_number_that_is_taken_while_the_model_is_written_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking whether the number is free and giving the model its name."""
    destination = tmp_path / "models" / "1"
    write = ModelFacts.write

    def overtaken(facts: ModelFacts, folder: Path) -> None:
        write(facts, folder)
        destination.mkdir(exist_ok=True)

    monkeypatch.setattr(ModelFacts, "write", overtaken)
    result = train(job_of(), RunFolder.create(tmp_path / "runs", tiny_recipe()), destination)

    assert result.model_path == tmp_path / "models" / "2"
    assert not any(destination.iterdir())
    assert sorted(each.name for each in destination.parent.iterdir()) == ["1", "2"]


def test_a_layer_that_mixes_examples_is_refused_before_the_first_update(tmp_path: Path) -> None:
    def mixing(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
        inner = dense(input_shape, classes)
        return keras.Sequential(
            [keras.Input(input_shape), keras.layers.BatchNormalization(), *inner.layers]
        )

    run = RunFolder.create(tmp_path / "runs", tiny_recipe())

    with pytest.raises(InputError, match="use GroupNormalization"):
        train(job_of(mixing), run, tmp_path / "models" / "1")

    assert not run.metrics.exists()
    assert not (tmp_path / "models").exists()


class _Root(keras.layers.Layer):
    """Adds the root of a weighted mean, whose gradient is not a number for a black image."""

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=(1,), initializer="ones", name="scale")
        self.built = True

    def call(self, inputs: Any) -> Any:
        brightness = keras.ops.mean(inputs + 1.0, axis=(1, 2, 3), keepdims=True)
        return inputs + keras.ops.sqrt(keras.ops.abs(self.scale * brightness))


def _rooted(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(input_shape),
            _Root(),
            keras.layers.Flatten(),
            keras.layers.Dense(classes),
        ]
    )


def test_an_example_without_a_finite_gradient_is_left_out_and_reported(tmp_path: Path) -> None:
    job = job_of(_rooted, stripes(first_image=0))
    run = RunFolder.create(tmp_path / "runs", tiny_recipe())
    sampled = job.plan.batches(
        job.dataset.train_images, job.dataset.train_labels, SecretKey.from_seed(3)
    )
    drawn = sum(0 in sampled.sample(update) for update in range(UPDATES))

    result = train(job, run, tmp_path / "models" / "1", key=SecretKey.from_seed(3))

    assert drawn > 0
    assert result.discarded_examples == drawn
    assert np.isfinite(result.loss)


def _two_layers(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    layers = [keras.layers.Flatten(), keras.layers.Dense(8), keras.layers.Dense(classes)]
    return keras.Sequential([keras.Input(input_shape), *layers])


@pytest.mark.parametrize(
    ("patience", "said", "updates"),
    [
        (UPDATES + 1, r"the test loss is (nan|inf) after 10 updates", UPDATES),
        (4, r"not finite after each of the last 4 updates, 4 in all\. No model was written", 4),
    ],
)
def test_a_run_that_diverges_writes_no_model(
    tmp_path: Path, patience: int, said: str, updates: int
) -> None:
    # The product of two weights of this size is out of float32's range.
    job = job_of(_two_layers, recipe=tiny_recipe(learning_rate=1e30))
    run = RunFolder.create(tmp_path / "runs", tiny_recipe())

    with pytest.raises(InputError, match=f"Training diverged: .*{said}"):
        train(job, run, tmp_path / "models" / "1", durability=Durability(patience=patience))

    assert not (tmp_path / "models").exists()
    assert Ledger.load(run.ledger).updates == updates
    assert run.learning_curve.exists() == (updates == UPDATES)


def test_a_run_that_diverges_later_ends_with_its_last_good_weights(tmp_path: Path) -> None:
    """What it released is the checkpoint; what it paid for is everything."""

    class Ruin(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            if self.model.next_update >= 6:
                weights = self.model.model.get_weights()
                self.model.model.set_weights([np.full_like(each, np.inf) for each in weights])

    run = RunFolder.create(tmp_path / "runs", tiny_recipe())
    result = train(
        job_of(),
        run,
        tmp_path / "models" / "1",
        durability=Durability(CheckpointInterval(updates=2), patience=2),
        callbacks=[Ruin()],
    )

    # The weights of update 6 were ruined after they had been looked at and saved.
    assert result.warning is not None and "The model is that of update 6;" in result.warning
    assert np.isfinite(result.loss)
    # Looking takes a hundredth of the time, so that update 7 may not have been looked at.
    assert result.updates in (8, 9)
    assert result.guarantee is not None
    assert result.guarantee.updates.executed == result.updates


def test_too_little_memory_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    monkeypatch.setattr(training.PrivateModel, "fit", exhausted)
    run = RunFolder.create(tmp_path / "runs", tiny_recipe())

    with pytest.raises(InputError, match="gradients of one chunk of examples do not fit"):
        train(job_of(), run, tmp_path / "models" / "1")


def test_a_recipe_of_bfloat16_and_views_trains_and_serves_float32(tmp_path: Path) -> None:
    recipe = dataclasses.replace(
        tiny_recipe(), precision="bfloat16", augmentation=Augmentation(multiplicity=2, flip=True)
    )
    run = RunFolder.create(tmp_path / "runs", recipe)
    job = job_of(recipe=recipe)

    result = train(job, run, tmp_path / "models" / "1")

    assert keras.config.dtype_policy().name == "float32"
    assert "bfloat16" in {layer.compute_dtype for layer in job.model._flatten_layers()}
    assert all(variable.dtype == "float32" for variable in job.model.trainable_variables)
    assert result.guarantee is not None
    assert result.guarantee.mechanism.compute_precision == "bfloat16"
    assert result.guarantee.epsilon == pytest.approx(job.plan.epsilon, rel=1e-4)
    assert result.accuracy > 0.9
    assert Recipe.from_toml(run.recipe) == recipe
