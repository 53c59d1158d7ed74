"""Private training from end to end: what is counted, what is released, what is refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from reference_gradients import LOSS, clipped_sum, gradients_one_at_a_time

import tfdpzoo
from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.dpsgd.noise import GaussianNoise
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError
from tfdpzoo.privacy.ledger import Ledger

layers = keras.layers
EXAMPLES, BATCH, CLASSES = 60, 12, 3
KEY = SecretKey.from_seed(0)
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(EXAMPLES, 6, 6, 1)).astype("float32")
LABELS = RANDOM.integers(0, CLASSES, EXAMPLES)


def plan_of(updates: int, noise_multiplier: float = 1.1, clip_norm: float = 0.8) -> PrivacyPlan:
    return PrivacyPlan.from_noise_multiplier(
        noise_multiplier=noise_multiplier,
        delta=1e-3,
        examples=EXAMPLES,
        batch_size=BATCH,
        updates=updates,
        clip_norm=clip_norm,
    )


def small_model(*, regularizer=None, dtype=None) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(4, 3, activation="selu", kernel_regularizer=regularizer, dtype=dtype),
            layers.GroupNormalization(2, dtype=dtype),
            layers.Flatten(dtype=dtype),
            layers.Dense(CLASSES),
        ]
    )


def linear_model() -> keras.Model:
    """For tests of what is counted: quick to trace."""
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(CLASSES)])


def private_model(plan, *, model=None, optimizer=None, metrics=None, compiling=None, **arguments):
    private = PrivateModel(model or linear_model(), plan, **{"key": KEY, **arguments})
    private.compile(
        optimizer=optimizer or keras.optimizers.SGD(0.5),
        loss=CROSS_ENTROPY,
        metrics=metrics,
        **(compiling or {}),
    )
    return private


def train(plan, *, images=IMAGES, labels=LABELS, fitting=None, **arguments):
    private = private_model(plan, **arguments)
    private.fit(plan.batches(images, labels, key=KEY), verbose=0, **(fitting or {}))
    return private


def weights_of(model: keras.Model) -> list[np.ndarray]:
    return [variable.numpy() for variable in model.trainable_variables]


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
    noise = GaussianNoise(KEY, shapes, plan.noise_multiplier * plan.clip_norm)
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
def test_xla_changes_nothing(settings_runs):
    private = train(
        plan_of(2),
        model=small_model(),
        optimizer=keras.optimizers.Adam(0.01),
        execution=ExecutionSettings(jit_compile=True),
    )
    for found, expected in zip(weights_of(private.model), settings_runs["default"], strict=True):
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
    original = batches.batch
    batches.batch = lambda update, multiple=1: seen.append(update) or original(update, multiple)
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


def test_schedules_count_updates():
    plan = plan_of(3)
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.0])
    history = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            history.append(weights_of(private.model))

    private = private_model(
        plan,
        optimizer=keras.optimizers.SGD(schedule),
        execution=ExecutionSettings(chunk=2),
        averaging_decay=0,
    )
    start = weights_of(private.model)
    private.fit(plan.batches(IMAGES, LABELS, key=KEY), callbacks=[Look()], verbose=0)
    # Steps 0 and 1 have rate 1, though an update has several chunks; step 2 has rate 0.
    assert not np.allclose(history[0][0], start[0])
    assert not np.allclose(history[1][0], history[0][0])
    np.testing.assert_array_equal(history[2][0], history[1][0])


def test_momentum_comes_after_the_noise():
    """Keras' own optimizer, given the released gradients, ends at the same weights."""
    plan = plan_of(3)
    heavy = train(plan, optimizer=keras.optimizers.SGD(0.5, momentum=0.9), averaging_decay=0)
    model, optimizer = linear_model(), keras.optimizers.SGD(0.5, momentum=0.9)
    shapes = [variable.shape for variable in model.trainable_variables]
    noise = GaussianNoise(KEY, shapes, plan.noise_multiplier * plan.clip_norm)
    for update in range(3):
        rows = plan.batches(IMAGES, LABELS, key=KEY).sample(update)
        sums = clipped_sum(
            gradients_one_at_a_time(model, IMAGES[rows], LABELS[rows]), plan.clip_norm
        )
        drawn = noise.draw(tf.constant(update, tf.int64))
        released = [(total + draw) / BATCH for total, draw in zip(sums, drawn, strict=True)]
        optimizer.apply(released, model.trainable_variables)
    for found, expected in zip(weights_of(heavy.model), weights_of(model), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


class TestAverage:
    """The moving average is what is evaluated, predicted with and released."""

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls):
        plan = plan_of(6)
        history = []

        class Look(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                history.append(weights_of(private.model))

        private = private_model(plan, averaging_decay=0.6, metrics=["accuracy"])
        history.append(weights_of(private.model))
        private.fit(plan.batches(IMAGES, LABELS, key=KEY), callbacks=[Look()], verbose=0)
        return private, history

    def expected(self, history):
        average = [value.astype("float64") for value in history[0]]
        for update, weights in enumerate(history[1:], start=1):
            decay = min(0.6, (1 + update) / (10 + update))
            average = [decay * a + (1 - decay) * w for a, w in zip(average, weights, strict=True)]
        return average

    def test_formula(self, trained):
        private, history = trained
        with private.released_weights() as model:
            released = weights_of(model)
        for found, value in zip(released, self.expected(history), strict=True):
            np.testing.assert_allclose(found, value, atol=1e-6)
        assert not np.allclose(released[0], history[-1][0])

    def test_evaluate_and_predict_use_it(self, trained):
        private, history = trained
        averaged = linear_model()
        for variable, value in zip(
            averaged.trainable_variables, self.expected(history), strict=True
        ):
            variable.assign(value)
        logits = averaged(IMAGES).numpy()
        np.testing.assert_allclose(private.predict(IMAGES, verbose=0), logits, atol=1e-4)
        loss, accuracy = private.evaluate(IMAGES, LABELS, verbose=0)
        assert loss == pytest.approx(float(CROSS_ENTROPY(LABELS, logits)), rel=1e-4)
        assert accuracy == pytest.approx(np.mean(logits.argmax(axis=1) == LABELS), abs=1e-6)

    def test_training_weights_are_back_afterwards(self, trained):
        private, history = trained
        private.evaluate(IMAGES, LABELS, verbose=0)
        with pytest.raises(KeyboardInterrupt), private.released_weights():
            raise KeyboardInterrupt
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
            private.predict(np.zeros((2, 5, 5, 3), "float32"), verbose=0)
        for found, expected in zip(weights_of(private.model), history[-1], strict=True):
            np.testing.assert_array_equal(found, expected)

    def test_validation_during_training_does_not_change_the_run(self):
        plan = plan_of(7)
        with_validation = train(plan, fitting={"validation_data": (IMAGES, LABELS)})
        without = train(plan)
        for one, other in zip(
            weights_of(with_validation.model), weights_of(without.model), strict=True
        ):
            np.testing.assert_array_equal(one, other)

    def test_it_can_be_off(self):
        private = train(plan_of(2), averaging_decay=0)
        now = weights_of(private.model)
        with private.released_weights() as model:
            for found, expected in zip(weights_of(model), now, strict=True):
                np.testing.assert_array_equal(found, expected)

    def test_it_is_off_before_the_first_update(self):
        private = private_model(plan_of(1))
        with private.released_weights() as model:
            assert model is private.model


def test_weight_regularizers_are_added_after_the_noise():
    """They depend on no example: neither clipped, nor divided by the batch."""
    plan = plan_of(1)
    regular = small_model(regularizer=keras.regularizers.L2(0.3))
    plain, decayed = (
        train(plan, model=model, averaging_decay=0) for model in (small_model(), regular)
    )
    kernel = weights_of(small_model())[0]
    # The gradient of 0.3 |w|^2 is 0.6 w, and the learning rate 0.5.
    expected = weights_of(plain.model)[0] - 0.5 * 0.6 * kernel
    np.testing.assert_allclose(weights_of(decayed.model)[0], expected, atol=1e-6)
    for one, other in zip(weights_of(plain.model)[1:], weights_of(decayed.model)[1:], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_frozen_layers_get_neither_gradient_nor_noise():
    model = small_model()
    model.layers[0].trainable = False
    before = [variable.numpy() for variable in model.layers[0].variables]
    train(plan_of(2), model=model)
    for variable, value in zip(model.layers[0].variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


@pytest.mark.parametrize(
    "engine",
    ["fast", pytest.param("tf-privacy", marks=pytest.mark.slow)],  # Its loop is long.
)
def test_broken_examples_change_nothing_and_are_reported(engine):
    """Pixels of 3e38 are finite, but nothing that is computed from them is.

    The weights are those of a run in which the broken examples' share of the sum is left out.
    """
    plan = plan_of(1)
    images = IMAGES.copy()
    batches = plan.batches(images, LABELS, key=KEY)
    rows = batches.sample(0)
    images[rows[:2]] = 3e38
    private = train(plan, images=images, engine=engine, averaging_decay=0)
    assert int(private.discarded_examples.numpy()) == 2
    model = linear_model()
    gradients = gradients_one_at_a_time(model, images[rows[2:]], LABELS[rows[2:]])
    shapes = [variable.shape for variable in model.trainable_variables]
    drawn = GaussianNoise(KEY, shapes, 1.1 * 0.8).draw(tf.constant(0, tf.int64))
    for now, before, total, draw in zip(
        weights_of(private.model),
        weights_of(model),
        clipped_sum(gradients, 0.8),
        drawn,
        strict=True,
    ):
        np.testing.assert_allclose(now, before - 0.5 * (total + draw) / BATCH, atol=1e-5)


def test_losses_and_metrics_are_of_the_sampled_examples():
    plan = plan_of(1)
    private = private_model(plan, metrics=["accuracy"], execution=ExecutionSettings(chunk=32))
    batches = plan.batches(IMAGES, LABELS, key=KEY)
    rows = batches.sample(0)
    logits = linear_model()(IMAGES[rows]).numpy()
    history = private.fit(batches, verbose=0).history
    assert history["loss"][0] == pytest.approx(float(CROSS_ENTROPY(LABELS[rows], logits)), rel=1e-4)
    accuracy = np.mean(logits.argmax(axis=1) == LABELS[rows])
    assert history["accuracy"][0] == pytest.approx(accuracy, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "int32", "uint8"])
def test_types_of_labels(dtype):
    plan = plan_of(1)
    private = train(plan, labels=LABELS.astype(dtype), compiling={"run_eagerly": True})
    assert private.ledger.updates == 1


@pytest.mark.parametrize("dtype", ["float64", "uint8"])
def test_one_hot_labels_train_as_numbers_do(dtype):
    plan = plan_of(1)
    one_hot = np.eye(CLASSES, dtype=dtype)[LABELS]
    private = PrivateModel(linear_model(), plan, key=KEY)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    private.compile(optimizer=keras.optimizers.SGD(0.5), loss=loss, run_eagerly=True)
    private.fit(plan.batches(IMAGES, one_hot, key=KEY), verbose=0)
    sparse = train(plan, compiling={"run_eagerly": True})
    for one, other in zip(weights_of(private.model), weights_of(sparse.model), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_tied_weights_are_seen():
    """A kernel that another layer uses, too, gets the gradient of both uses."""

    class Transposed(layers.Layer):
        def __init__(self, other):
            super().__init__()
            self.other = other

        def call(self, inputs):
            return tf.matmul(inputs, self.other.kernel, transpose_b=True)

    keras.utils.set_random_seed(0)
    encode = layers.Dense(CLASSES, use_bias=False)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Flatten(),
            encode,
            Transposed(encode),
            layers.Dense(CLASSES),
        ]
    )
    start = weights_of(model)
    plan = plan_of(1)
    try:
        train(plan, model=model, averaging_decay=0)
    except InputError as refusal:
        assert "kernel" in str(refusal)
        return
    found = weights_of(model)
    for variable, value in zip(model.trainable_variables, start, strict=True):
        variable.assign(value)
    rows = plan.batches(IMAGES, LABELS, key=KEY).sample(0)
    sums = clipped_sum(gradients_one_at_a_time(model, IMAGES[rows], LABELS[rows]), plan.clip_norm)
    shapes = [variable.shape for variable in model.trainable_variables]
    drawn = GaussianNoise(KEY, shapes, 1.1 * 0.8).draw(tf.constant(0, tf.int64))
    for now, before, total, draw in zip(found, start, sums, drawn, strict=True):
        np.testing.assert_allclose(now, before - 0.5 * (total + draw) / BATCH, atol=1e-5)


class TestRefusals:
    """Each is one sentence, before anything was counted."""

    @pytest.fixture(scope="class")
    @classmethod
    def private(cls):
        return private_model(plan_of(2))

    @pytest.fixture(autouse=True)
    def _nothing_is_counted(self, private):
        yield
        assert private.ledger.updates == 0

    def test_arrays(self, private):
        with pytest.raises(InputError, match=r"takes plan.batches\(images, labels\)"):
            private.fit(IMAGES)

    def test_shuffled_data(self, private):
        data = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).shuffle(60).batch(12)
        with pytest.raises(InputError, match="such as shuffling"):
            private.fit(data)

    def test_generator(self, private):
        with pytest.raises(InputError, match="takes plan.batches"):
            private.fit((IMAGES[:12], LABELS[:12]) for _ in range(3))

    def test_single_batches(self, private):
        with pytest.raises(InputError, match="single batches have no plan"):
            private.train_on_batch(IMAGES[:12], LABELS[:12])

    def test_batches_of_another_plan(self, private):
        with pytest.raises(InputError, match="of another plan"):
            private.fit(plan_of(3).batches(IMAGES, LABELS))

    @pytest.mark.parametrize("label", [-1, CLASSES])
    def test_label_out_of_range(self, private, label):
        labels = LABELS.copy()
        labels[17] = label
        with pytest.raises(InputError, match="the model has 3 classes: 0 to 2"):
            private.fit(private.plan.batches(IMAGES, labels))

    def test_several_updates_in_one_step(self):
        with pytest.raises(InputError, match="steps_per_execution must be 1"):
            private = private_model(plan_of(2), compiling={"steps_per_execution": 2})
            private.fit(private.plan.batches(IMAGES, LABELS))

    def test_accumulated_gradients(self):
        optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
        with pytest.raises(InputError, match="gradient_accumulation_steps=2"):
            private_model(plan_of(2), optimizer=optimizer)

    def test_loss_of_the_whole_batch(self):
        private = PrivateModel(linear_model(), plan_of(2))
        with pytest.raises(InputError, match="one number for the whole batch"):
            private.compile(
                optimizer="sgd", loss=lambda labels, logits: tf.reduce_mean(LOSS(labels, logits))
            )
            private.fit(private.plan.batches(IMAGES, LABELS))

    def test_unknown_engine(self):
        with pytest.raises(InputError, match="no engine named 'fats'; did you mean 'fast'"):
            PrivateModel(linear_model(), plan_of(2), engine="fats")

    def test_model_that_mixes(self):
        model = keras.Sequential(
            [keras.Input((6, 6, 1)), layers.BatchNormalization(), layers.Flatten(), layers.Dense(3)]
        )
        with pytest.raises(InputError, match="use GroupNormalization"):
            PrivateModel(model, plan_of(2))

    @pytest.mark.parametrize("decay", [1.0, -0.5])
    def test_decay_of_the_average(self, decay):
        with pytest.raises(InputError, match="averaging_decay"):
            PrivateModel(linear_model(), plan_of(2), averaging_decay=decay)

    def test_saving_the_whole(self, private, tmp_path):
        with pytest.raises(NotImplementedError, match=r"Save the wrapped \.model"):
            private.get_config()


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


def test_empty_and_small_samples_train_with_metrics():
    """Expected batch 1: most samples have 0, 1 or 2 examples."""
    plan = PrivacyPlan.from_noise_multiplier(
        noise_multiplier=2.0, delta=1e-3, examples=EXAMPLES, batch_size=1, updates=4
    )
    batches = plan.batches(IMAGES, LABELS, key=SecretKey.from_seed(3))
    assert min(len(batches.sample(update)) for update in range(4)) == 0
    private = private_model(plan, metrics=["accuracy", keras.metrics.SparseCategoricalAccuracy()])
    history = private.fit(batches, verbose=0).history
    assert private.ledger.updates == 4
    assert np.isfinite(history["loss"]).all() and np.isfinite(history["accuracy"]).all()
