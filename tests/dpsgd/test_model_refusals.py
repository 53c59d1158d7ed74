"""What a private model refuses, each in one sentence and before anything was counted."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf
from private_training import (
    CLASSES,
    IMAGES,
    LABELS,
    linear_model,
    plan_of,
    private_model,
)
from reference_gradients import (
    LOSS,
)

from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.errors import InputError

layers = keras.layers


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
