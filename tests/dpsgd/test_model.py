"""Private training from end to end: what an update is, what is counted, what is stated."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from private_training import (
    BATCH,
    CROSS_ENTROPY,
    IMAGES,
    KEY,
    LABELS,
    linear_model,
    plan_of,
    private_model,
    small_model,
    train,
    weights_of,
)
from reference_gradients import (
    LOSS,
    clipped_sum,
    gradients_one_at_a_time,
)

import tfdpzoo
from tfdpzoo.dpsgd.augmentation import Augmentation
from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.dpsgd.noise import GaussianNoise
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError
from tfdpzoo.privacy.ledger import Ledger

layers = keras.layers


class Stop(keras.callbacks.Callback):
    """Raises in the middle of a run."""

    def __init__(self, updates: int, moment: str, error: type[BaseException]) -> None:
        super().__init__()
        self.left, self.moment, self.error = updates, moment, error

    def _count(self, moment: str) -> None:
        if moment == self.moment:
            self.left -= 1
            if self.left == 0:
                raise self.error

    def on_train_batch_begin(self, batch, logs=None):
        self._count("begin")

    def on_train_batch_end(self, batch, logs=None):
        self._count("end")


def test_public_api_from_building_to_the_guarantee():
    """The lines that notebooks use, on SmoothNet and raw pixels."""
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1)).astype("uint8")
    labels = np.arange(40) % 4
    model = tfdpzoo.build("smoothnet", input_shape=(8, 8, 1), classes=4, width=0.5, depth=1)
    plan = tfdpzoo.PrivacyPlan.calibrate(
        epsilon=7.0, delta=1e-3, examples=40, batch_size=10, epochs=1, clip_norm=1.0
    )
    private = tfdpzoo.PrivateModel(model, plan)
    private.compile(optimizer=keras.optimizers.SGD(0.1), loss=CROSS_ENTROPY, metrics=["accuracy"])
    epochs = []
    history = private.fit(
        plan.batches(images, labels),
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: epochs.append(logs))
        ],
        validation_data=(images.astype("float32"), labels),
        verbose=0,
    )
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert epochs and private.ledger.updates == plan.updates == 4
    guarantee = private.guarantee()
    assert guarantee.valid and 6.9 < guarantee.epsilon <= 7.0
    assert guarantee.epsilon == pytest.approx(plan.epsilon_after(4), abs=1e-6)
    assert guarantee.updates.executed == 4
    assert private.predict(images.astype("float32"), verbose=0).shape == (40, 4)


def test_every_update_is_the_definition():
    """Weights after three updates, computed again in NumPy from samples, gradients and draws.

    Float32 against float64 through three updates: 1e-5.
    """
    plan = plan_of(3)
    settings = ExecutionSettings(chunk=5)
    trained = train(plan, model=small_model(), averaging_decay=0, execution=settings)
    model = small_model()
    batches = plan.batches(IMAGES, LABELS, key=KEY)
    shapes = [variable.shape for variable in model.trainable_variables]
    noise = GaussianNoise(KEY, shapes, plan.noise_multiplier * plan.clip_norm, plan.noise_reach)
    for update in range(3):
        rows = batches.sample(update)
        gradients = gradients_one_at_a_time(model, IMAGES[rows], LABELS[rows], LOSS)
        sums = clipped_sum(gradients, plan.clip_norm)
        drawn = noise.draw(tf.constant(update, tf.int64))
        for variable, total, draw in zip(model.trainable_variables, sums, drawn, strict=True):
            variable.assign(variable.numpy() - 0.5 * (total + draw.numpy()) / BATCH)
    for found, expected in zip(weights_of(trained.model), weights_of(model), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_noise_and_clipping_it_is_plain_sgd():
    """C so large that nothing is clipped, sigma so small that the noise is below rounding."""
    # The accountant cannot do without noise, so that it is taken away here.
    plan = plan_of(3, clip_norm=1e3)
    private = private_model(plan, averaging_decay=0)
    private._noise.standard_deviation = 0.0
    private.fit(plan.batches(IMAGES, LABELS, key=KEY), verbose=0)
    model = linear_model()
    optimizer = keras.optimizers.SGD(0.5)
    batches = plan.batches(IMAGES, LABELS, key=KEY)
    for update in range(3):
        rows = batches.sample(update)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(LOSS(LABELS[rows], model(IMAGES[rows]))) / BATCH
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(total, [v.value for v in variables]), variables)
    for found, expected in zip(weights_of(private.model), weights_of(model), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.fixture(scope="module")
def settings_runs() -> dict[str, list[np.ndarray]]:
    """The same two updates under other settings of speed; Adam, since it counts its steps."""
    plan = plan_of(2)
    runs = {
        "default": {},
        "chunks of one": {"execution": ExecutionSettings(chunk=1)},
        "tf-privacy": {"engine": "tf-privacy", "execution": ExecutionSettings(chunk=4)},
    }
    return {
        name: weights_of(
            train(plan, model=small_model(), optimizer=keras.optimizers.Adam(0.01), **run).model
        )
        for name, run in runs.items()
    }


@pytest.mark.parametrize("name", ["chunks of one", "tf-privacy"])
def test_settings_of_speed_change_nothing(settings_runs, name):
    """Adam divides by roots of small second moments: rounding of 1e-6 may become 1e-4 of a step."""
    for found, expected in zip(settings_runs[name], settings_runs["default"], strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow  # XLA takes its time to compile.
def test_xla_changes_nothing():
    """Noise is drawn outside of what XLA compiles, so that a run may go on in the other way."""

    def weights_after(jit_compile: bool) -> list[np.ndarray]:
        private = private_model(
            plan_of(2), model=small_model(), execution=ExecutionSettings(jit_compile=jit_compile)
        )
        private.fit(private.plan.batches(IMAGES, LABELS, key=KEY), verbose=0)
        return weights_of(private.model)

    for found, expected in zip(weights_after(True), weights_after(False), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_same_keys_replay_a_run_and_others_do_not():
    plan = plan_of(2)
    first, again = (weights_of(train(plan).model) for _ in range(2))
    other = weights_of(train(plan, key=SecretKey.from_seed(1)).model)
    for one, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert not np.allclose(one, different)


def test_budget_is_hard():
    """More epochs than the plan has are cut; what was interrupted goes on; then nothing goes on."""
    plan = plan_of(7)  # Five updates are an epoch.
    seen = []
    private = private_model(plan)
    batches = plan.batches(IMAGES, LABELS, key=KEY)
    original = batches.sample
    batches.sample = lambda update: seen.append(update) or original(update)
    private.fit(batches, epochs=1, verbose=0)
    assert private.ledger.updates == 5
    first_run = max(seen)
    private.fit(batches, epochs=100, verbose=0)
    assert private.ledger.updates == int(private.executed_updates.numpy()) == 7
    assert int(private.optimizer.iterations) == 7
    # The pipeline may prepare samples ahead; the second run began with the sixth.
    assert first_run >= 4 and 5 in seen[first_run:] and max(seen) == 6
    before = weights_of(private.model)
    with pytest.raises(InputError, match="All 7 updates of the plan have been executed"):
        private.fit(batches, verbose=0)
    for found, expected in zip(weights_of(private.model), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert private.guarantee().epsilon <= plan.epsilon


def test_a_run_in_two_parts_is_the_run_in_one():
    """No sample and no noise is used twice: the parts continue each other bit by bit."""
    plan = plan_of(7)
    whole, parts = private_model(plan), private_model(plan)
    whole.fit(plan.batches(IMAGES, LABELS, key=KEY), verbose=0)
    parts.fit(plan.batches(IMAGES, LABELS, key=KEY), epochs=1, verbose=0)
    parts.fit(plan.batches(IMAGES, LABELS, key=KEY), verbose=0)
    for found, expected in zip(weights_of(parts.model), weights_of(whole.model), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("moment", "error"), [("begin", KeyboardInterrupt), ("end", RuntimeError)])
def test_interrupted_runs_count_the_update_in_progress(moment, error):
    plan = plan_of(7)
    private = private_model(plan)
    with pytest.raises(error):
        private.fit(
            plan.batches(IMAGES, LABELS, key=KEY), callbacks=[Stop(3, moment, error)], verbose=0
        )
    assert private.ledger.updates == 3
    guarantee = private.guarantee()
    assert guarantee.updates.executed == 3
    assert guarantee.epsilon == pytest.approx(plan.epsilon_after(3), abs=1e-6)
    # It may go on, with the four that are left.
    private.fit(plan.batches(IMAGES, LABELS, key=KEY), verbose=0)
    assert private.ledger.updates == 7


def test_an_update_that_fails_is_counted():
    plan = plan_of(3)
    private = private_model(plan, compiling={"run_eagerly": True})

    def broken(*arguments):
        raise RuntimeError("out of memory")

    private._noise.draw = broken
    with pytest.raises(RuntimeError, match="out of memory"):
        private.fit(plan.batches(IMAGES, LABELS, key=KEY), verbose=0)
    assert private.ledger.updates == 1
    assert int(private.executed_updates.numpy()) == 0


def test_an_update_that_cannot_be_recorded_is_not_made(tmp_path):
    plan = plan_of(3)
    private = private_model(plan, ledger=Ledger(tmp_path / "ledger.json"))
    before = weights_of(private.model)

    def full(*arguments):
        raise InputError("No space is left on the disk.")

    private.ledger.record = full
    with pytest.raises(InputError, match="No space"):
        private.fit(plan.batches(IMAGES, LABELS, key=KEY), verbose=0)
    for found, expected in zip(weights_of(private.model), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_ledger_on_disk_is_ahead_of_the_weights(tmp_path):
    """Whenever an update has changed the weights, the file already counts it."""
    plan = plan_of(3)
    path = tmp_path / "ledger.json"
    private = private_model(plan, ledger=Ledger(path))
    counts = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            counts.append((Ledger.load(path).updates, int(private.executed_updates.numpy())))

    private.fit(plan.batches(IMAGES, LABELS, key=KEY), callbacks=[Look()], verbose=0)
    assert counts == [(1, 1), (2, 2), (3, 3)]
    resumed = private_model(plan, ledger=Ledger.load(path))
    with pytest.raises(InputError, match="All 3 updates"):
        resumed.fit(plan.batches(IMAGES, LABELS, key=KEY), verbose=0)


def test_guarantee_is_of_executed_updates_and_of_this_mechanism():
    plan = plan_of(7)
    private = train(plan, fitting={"epochs": 1})
    guarantee = private.guarantee()
    (segment,) = guarantee.updates.segments
    assert (segment.noise_multiplier, segment.sampling_rate, segment.updates) == (1.1, 0.2, 5)
    assert guarantee.updates.planned == 7
    assert guarantee.epsilon == pytest.approx(plan.epsilon_after(5), abs=1e-6)
    assert guarantee.epsilon < plan.epsilon
    assert guarantee.mechanism.clip_norm == 0.8
    assert guarantee.mechanism.engine == "fast"
    assert guarantee.sampling.scheme == "poisson"


def test_a_target_of_the_whole_search_takes_the_place_of_the_plans():
    plan = plan_of(1)
    private = private_model(plan)
    assert private.guarantee().claim.target_epsilon == plan.epsilon
    assert private.guarantee(target_epsilon=9.0).claim.target_epsilon == 9.0


def test_the_record_tells_of_views():
    views = Augmentation(multiplicity=3, flip=True)
    private = private_model(plan_of(1), augmentation=views)
    assert private.guarantee().unit.augmentation_multiplicity == 3


def test_fixed_keys_make_the_guarantee_invalid():
    """Whether the noise's or the sampling's: both must be secret."""
    plan = plan_of(1)
    for noise_key, sampling_key, valid in [
        (None, None, True),
        (KEY, None, False),
        (None, KEY, False),
    ]:
        private = private_model(plan, key=noise_key, compiling={"run_eagerly": True})
        private.fit(plan.batches(IMAGES, LABELS, key=sampling_key), verbose=0)
        guarantee = private.guarantee()
        assert guarantee.valid == valid
        assert any("fixed, known seed" in reason for reason in guarantee.weaknesses) != valid


def test_a_ledger_of_costlier_updates_is_not_hidden():
    """The plan was kept, but the updates before it were made with less noise."""
    ledger = Ledger()
    ledger.record(0.4, 0.2, updates=2)
    plan = plan_of(4)
    private = private_model(plan, key=None, ledger=ledger, compiling={"run_eagerly": True})
    try:
        private.fit(plan.batches(IMAGES, LABELS), verbose=0)
    except InputError:
        return
    guarantee = private.guarantee()
    assert len(guarantee.updates.segments) == 2
    assert guarantee.epsilon > plan.epsilon and not guarantee.valid


def test_optimizer_is_of_tf_privacy():
    private = private_model(plan_of(1), optimizer=keras.optimizers.Adam(0.1))
    module = "tensorflow_privacy.privacy.optimizers.dp_optimizer_keras_vectorized"
    assert type(private.optimizer)._compute_gradients.__module__ == module
    assert isinstance(private.optimizer, keras.optimizers.Adam)


def test_the_secret_is_in_no_saved_file(tmp_path):
    """Neither in the weights nor in a SavedModel of the whole."""
    private = train(plan_of(1))
    private.save_weights(tmp_path / "all.weights.h5")
    tf.saved_model.save(private, str(tmp_path / "saved"))
    secret = KEY._secret
    seed = KEY.derive("noise").to_bytes(16, "little")
    for file in tmp_path.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            for part in (secret, secret[:8], seed[:8], seed[8:]):
                assert part not in content and part[::-1] not in content


def test_without_a_key_every_run_has_other_noise():
    plan = plan_of(1)
    runs = [
        weights_of(train(plan, key=None, compiling={"run_eagerly": True}).model)[0]
        for _ in range(2)
    ]
    assert not np.allclose(*runs)
