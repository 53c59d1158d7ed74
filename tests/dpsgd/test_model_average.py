"""The moving average of the weights, where a private model evaluates and releases it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from private_training import (
    CROSS_ENTROPY,
    IMAGES,
    KEY,
    LABELS,
    linear_model,
    plan_of,
    private_model,
    train,
    weights_of,
)

layers = keras.layers


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
