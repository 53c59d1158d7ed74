"""A Keras model that trains with differential privacy."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdpzoo.data.streams import original_errors
from tfdpzoo.dpsgd.augmentation import Augmentation
from tfdpzoo.dpsgd.averaging import WeightAverage
from tfdpzoo.dpsgd.bookkeeping import Bookkeeping, ShortEpoch, usable_callbacks
from tfdpzoo.dpsgd.chunks import sum_over_chunks
from tfdpzoo.dpsgd.engine import CompiledEngine, FastEngine, UncompiledEngine, make_engine
from tfdpzoo.dpsgd.execution import ENGINES, ExecutionSettings
from tfdpzoo.dpsgd.execution_choice import ChosenExecution, choose_execution
from tfdpzoo.dpsgd.fit_arguments import (
    require_epochs,
    require_fitting_labels,
    require_left_to_the_plan,
    require_poisson,
)
from tfdpzoo.dpsgd.full_float32 import full_float32
from tfdpzoo.dpsgd.layer_randomness import draw_from_secret
from tfdpzoo.dpsgd.losses import per_example_loss, with_weight_losses
from tfdpzoo.dpsgd.noise import GaussianNoise
from tfdpzoo.dpsgd.optimizer import apply_private_gradients, make_private_optimizer
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.replicas import (
    Share,
    distribute,
    for_reduction,
    one_copy,
    require_built_in_scope,
    sum_with_noise,
)
from tfdpzoo.dpsgd.sampling import PoissonBatches
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.dpsgd.update_numbers import UpdateNumbers, whole_number
from tfdpzoo.dpsgd.validate import (
    choose_differentiation,
    clips_single_examples,
    compute_precision,
    probe_images,
    require_private_trainable,
)
from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.hardware import accelerators
from tfdpzoo.privacy.accesses import Tuning
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.privacy.provenance import Provenance

DEFAULT_AVERAGING_DECAY = 0.999


@keras.saving.register_keras_serializable(package="tfdpzoo")
class PrivateModel(keras.Model):
    """Any Keras model, trained by DP-SGD within a plan.

    Formal guarantee:
        The weights after any number of updates of `fit`, and every average of them, are
        (epsilon, delta)-differentially private with respect to adding or removing one training
        example, with the epsilon and delta of `guarantee()`. At update t the examples of a Poisson
        sample are differentiated, each gradient is clipped to C over all variables together, the
        clipped gradients are summed, normal noise of standard deviation sigma * C is added once,
        and the sum is divided by the expected batch size, which does not depend on the sample. What
        `fit` reports of the training data (loss, metrics, discarded examples) is not covered.

    Args:
        model: A built model with one input and one output that mixes no examples.
        plan: The privacy plan.
        engine: `"fast"`, or `"tf-privacy"` for TF-Privacy's own gradients.
        execution: Settings of performance.
        augmentation: Random views of each example whose gradients are averaged before clipping; by
            default none.
        averaging_decay: Decay of the weights' moving average, which is then what is evaluated and
            exported; 0 turns it off.
        key: The secret that noise is drawn from; by default new bits of the operating system.
        ledger: Where executed updates are recorded; by default in memory.

    Raises:
        InputError: The model mixes examples, or an argument is out of its range.

    Example:
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(),
        ...                           keras.layers.Dense(10)])
        >>> plan = PrivacyPlan.calibrate(epsilon=7.0, delta=1e-4, examples=1000, batch_size=100,
        ...                              updates=2, clip_norm=1.0)
        >>> private = PrivateModel(model, plan)
        >>> private.compile(optimizer=keras.optimizers.SGD(1.0),
        ...                 loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> images, labels = np.zeros((1000, 8, 8, 1), "float32"), np.zeros(1000, "int64")
        >>> history = private.fit(plan.batches(images, labels), verbose=0)
        >>> private.ledger.updates
        2
    """

    def __init__(
        self,
        model: keras.Model,
        plan: PrivacyPlan,
        *,
        engine: str = "fast",
        execution: ExecutionSettings | None = None,
        augmentation: Augmentation | None = None,
        averaging_decay: float = DEFAULT_AVERAGING_DECAY,
        key: SecretKey | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        super().__init__(name=f"private_{model.name}")
        if engine not in ENGINES:
            raise unknown_name("engine", engine, ENGINES)
        require_built_in_scope(model, self.distribute_strategy)
        with one_copy(model):
            require_private_trainable(model)
        self.augmentation = augmentation or Augmentation()
        if self.augmentation.changes_images:
            self.augmentation.require_room(*probe_images(model, 1).shape[1:3])
        self.model = model
        self.plan = plan
        self.engine_name = engine
        self.execution = execution or ExecutionSettings()
        self.chosen_execution: ChosenExecution | None = None
        self.ledger = ledger if ledger is not None else Ledger()
        self.discarded_examples = whole_number(0, "discarded_examples")
        self._numbers = UpdateNumbers(plan, self.ledger)
        self.executed_updates = self._numbers.executed
        self._key = key or SecretKey.generate()
        self._weaknesses: set[str] = set()
        self._trained = list(model.trainable_variables)
        self._noise = GaussianNoise(
            self._key,
            [variable.shape for variable in self._trained],
            plan.noise_multiplier * plan.clip_norm,
            plan.noise_reach,
        )
        self._average = WeightAverage(self._trained, averaging_decay) if averaging_decay else None
        # Keras counts these among the weights, so that who keeps and restores weights, as
        # EarlyStopping does, restores what was evaluated.
        self.averages = self._average.averages if self._average is not None else []
        draw_from_secret(model, self._key)
        self._key.dedicate("noise")
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Returns the wrapped model's output, with the weights of the last update."""
        return self.model(inputs, training=training)

    def compile(
        self, optimizer: Any = "sgd", loss: Any = None, metrics: Any = None, **kwargs: Any
    ) -> None:
        """Configures training as `keras.Model.compile` does.

        Args:
            optimizer: A Keras optimizer; TF-Privacy's factory makes its private twin. Schedules
                count updates.
            loss: A Keras loss of one example's label and prediction.
            metrics: As in Keras. On training data they are not differentially private.
            **kwargs: Further arguments of Keras. `jit_compile` is that of `ExecutionSettings`.

        Raises:
            InputError: The loss or the optimizer cannot be used privately.
        """
        if kwargs.get("loss_weights") is not None:
            raise InputError(
                "loss_weights has no meaning here: a private model has one loss. Scale the "
                "learning rate instead."
            )
        jit_compile = kwargs.pop("jit_compile", None)
        if jit_compile is not None:
            self.execution = dataclasses.replace(self.execution, jit_compile=jit_compile)
        self._per_example_loss = per_example_loss(loss)
        self._has_metrics = False
        with self.distribute_strategy.scope():
            super().compile(
                optimizer=make_private_optimizer(optimizer, self.plan.clip_norm),
                loss=loss,
                metrics=metrics,
                jit_compile=False,
                **kwargs,
            )
        self._engine = make_engine(
            self.engine_name,
            self.model,
            self._per_example_loss,
            self.plan.clip_norm,
            self.optimizer,
            self.augmentation.multiplicity,
        )
        self.chosen_execution = None

    def fit(
        self,
        batches: PoissonBatches,
        *misplaced: Any,
        epochs: int | None = None,
        callbacks: Any = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains with the plan's Poisson samples, and never beyond its last update.

        Args:
            batches: From `plan.batches(images, labels)`.
            *misplaced: None; Keras' separate labels cannot be given.
            epochs: How many epochs to train now; by default all that the plan still allows.
            callbacks: As in Keras.
            **kwargs: `validation_data`, `verbose` and others of Keras.

        Returns:
            Keras' history. What it says of the training data is not differentially private.

        Raises:
            InputError: Anything but Poisson samples of this plan is given, the plan's updates are
                used up, labels do not fit the model, or an image cannot be read.
        """
        self._require_ready()
        require_poisson(self.plan, batches, misplaced)
        callbacks = usable_callbacks(callbacks)
        require_left_to_the_plan(kwargs)
        first = self._numbers.next
        remaining = self.plan.updates - first
        if remaining <= 0:
            raise InputError(
                f"All {self.plan.updates} updates of the plan have been executed; its epsilon "
                f"{self.plan.epsilon:g} is used up. Make a new plan to train on."
            )
        per_epoch = self.plan.updates_per_epoch
        # A run that goes on keeps its epochs, and the first of them may be short.
        begun, done = divmod(first, per_epoch) if self._numbers.goes_on else (0, 0)
        allowed = -(-(remaining + done) // per_epoch)
        require_epochs(epochs)
        require_fitting_labels(self.model, self._per_example_loss, batches.labels)
        if batches.key.reproducible:
            self._weaknesses.add(_FIXED_SEED)
        with full_float32(), original_errors():
            execution = self._settled_execution(batches.labels)

            self._build_metrics(batches.labels)

            def batches_of(shares: tuple[Share, ...]) -> tf.data.Dataset:
                return batches.dataset(first, execution.padding, self.augmentation, shares)

            return super().fit(
                distribute(self.distribute_strategy, batches_of),
                initial_epoch=begun,
                epochs=begun + (allowed if epochs is None else min(allowed, epochs)),
                steps_per_epoch=per_epoch,
                callbacks=[
                    Bookkeeping(self._numbers),
                    *([ShortEpoch(per_epoch - done)] if done else []),
                    *callbacks,
                ],
                shuffle=False,
                **kwargs,
            )

    def train_step(self, data: Any) -> dict[str, Any]:
        """Executes one update; called by Keras inside `fit`."""
        if self.chosen_execution is None:
            raise InputError("Train with fit(plan.batches(images, labels)), which counts updates.")
        (images, draws), labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        chunk, jit_compile = self.chosen_execution
        engine = (CompiledEngine if jit_compile else UncompiledEngine)(self._engine)
        result = sum_over_chunks(engine, images, labels, weights, chunk, self.augmentation, draws)
        update = self.executed_updates.value
        noised, discarded = sum_with_noise(
            result.gradients, lambda: self._noise.draw(update), result.discarded
        )
        gradients = [total / self.plan.batch_size for total in noised]
        gradients = with_weight_losses(gradients, self.model.trainable_variables)
        self.executed_updates.assign_add(1)
        self.discarded_examples.assign_add(tf.cast(discarded, tf.int64))
        apply_private_gradients(self.optimizer, gradients, self.model.trainable_variables)
        if self._average is not None:
            self._average.update(self.executed_updates.value)
        metrics = self._training_metrics(images, labels, weights, result.predictions, result.losses)
        return for_reduction(metrics)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Evaluates one batch; called by Keras inside `fit` and `evaluate`."""
        return for_reduction(super().test_step(data))

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Refuses: a batch that was not sampled by the plan has no guarantee."""
        raise InputError(
            "Train with fit(plan.batches(images, labels)); single batches have no plan."
        )

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluates as Keras does, with the weights that are released."""
        with self.released_weights(), original_errors():
            return super().evaluate(*args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Predicts as Keras does, with the weights that are released."""
        with self.released_weights():
            return super().predict(*args, **kwargs)

    @contextlib.contextmanager
    def released_weights(self) -> Iterator[keras.Model]:
        """Lets the wrapped model hold the released weights: their average, where that is on."""
        if self._average is None or int(self.executed_updates.numpy()) == 0:
            yield self.model
            return
        with self._average.in_place():
            yield self.model

    def guarantee(
        self, *, tuning: Tuning | None = None, target_epsilon: float | None = None
    ) -> PrivacyGuarantee:
        """Returns the guarantee of the updates that were executed so far.

        Before the first update it states epsilon 0.

        Args:
            tuning: What you declare of tuning, see `Tuning.declared`; by default nothing, and the
                record says that tuning is not accounted.
            target_epsilon: What was asked for of all that epsilon covers; by default the plan's,
                which is of this training alone.
        """
        weaknesses = set(self._weaknesses)
        if self._key.reproducible:
            weaknesses.add(_FIXED_SEED)
        if self._numbers.past_the_ledger:
            weaknesses.add(_PAST_THE_LEDGER)
        return PrivacyGuarantee.state(
            segments=self.ledger.segments,
            delta=self.plan.delta,
            clip_norm=self.plan.clip_norm,
            examples=self.plan.examples,
            expected_batch=self.plan.batch_size,
            planned_updates=self.plan.updates,
            target_epsilon=self.plan.epsilon if target_epsilon is None else target_epsilon,
            engine=self.engine_name,
            precision=compute_precision(self.model),
            neighboring_relation="ADD_OR_REMOVE_ONE",
            replicas=self.distribute_strategy.num_replicas_in_sync,
            augmentation_multiplicity=self.augmentation.multiplicity,
            weaknesses=tuple(sorted(weaknesses)),
            tuning=tuning,
            provenance=Provenance.current(hardware=", ".join(accelerators()) or None),
        )

    def load_weights(self, *args: Any, **kwargs: Any) -> None:
        """Refuses: weights come without the ledger of the updates that made them."""
        raise InputError(
            "Weights cannot be loaded into a PrivateModel: its guarantee would not count the "
            "updates that made them. Public weights are loaded into the model before it is wrapped."
        )

    def _training_metrics(
        self,
        images: tf.Tensor,
        labels: tf.Tensor,
        weights: tf.Tensor,
        predictions: tf.Tensor,
        losses: tf.Tensor,
    ) -> dict[str, Any]:
        # Padding comes last.
        sampled = tf.reduce_sum(tf.cast(weights > 0, tf.int32))
        self._loss_tracker.update_state(
            tf.math.divide_no_nan(tf.reduce_sum(losses[:sampled]), tf.cast(sampled, tf.float32)),
            sample_weight=tf.cast(sampled, tf.float32),
        )
        return self.compute_metrics(images[:sampled], labels[:sampled], predictions[:sampled])

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Builds metrics outside of the replicas, from labels alone; called by Keras.

        Keras would average the first batch over the replicas, for which these have several sizes.
        """
        if self._distribute_strategy is None or self._has_metrics or iterator is None:
            return
        _, _, batches = next(iter(iterator))
        _, labels, _ = keras.utils.unpack_x_y_sample_weight(next(batches))
        if labels is not None:
            self._build_metrics(self.distribute_strategy.experimental_local_results(labels)[0])

    def _build_metrics(self, labels: Any) -> None:
        """Makes the variables of metrics, which replicas cannot while they run."""
        if self._distribute_strategy is None or self._has_metrics:
            return
        with self.distribute_strategy.scope():
            self._symbolic_build(data_batch=(probe_images(self.model, 1), labels[:1]))
        self._has_metrics = True

    @property
    def next_update(self) -> int:
        """The number of the update that `fit` executes next."""
        return self._numbers.next

    def go_on_from(self, update: int) -> None:
        """Says which update comes next, after the state of an earlier process was restored.

        Formal guarantee:
            Updates that the ledger counts already are executed again with the samples, views and
            noise that they had, and are not counted again. Whoever calls this answers for the
            secret key, the plan, the data and the way of execution being the same, so that the same
            numbers come out: then nothing is released that was not counted. Where that is not sure,
            go on from `ledger.updates` with a new key.

        Args:
            update: From 0 to the number of updates in the ledger.

        Raises:
            InputError: The ledger does not count all updates before it.
        """
        self._numbers.go_on_from(update)

    def _settled_execution(self, labels: np.ndarray) -> ChosenExecution:
        if self.chosen_execution is None:
            with one_copy(self.model):
                self.chosen_execution = self._choose_execution(labels)
        return self.chosen_execution

    def _choose_execution(self, labels: np.ndarray) -> ChosenExecution:
        if isinstance(self._engine, FastEngine):
            self._engine.differentiate = choose_differentiation(
                self.model, self._per_example_loss, labels
            )
        elif not clips_single_examples(self._engine, self.plan.clip_norm, labels):
            raise InputError(
                f"TF-Privacy's own gradients are wrong for {self.model.name}: TensorFlow "
                'cannot vectorise one of its layers. Use engine="fast".'
            )
        return choose_execution(
            self.execution, self._engine, labels, self.augmentation.multiplicity
        )

    def _require_ready(self) -> None:
        if not self.compiled:
            raise InputError("Call compile(optimizer=..., loss=...) before fit.")
        if self.steps_per_execution != 1:
            raise InputError("steps_per_execution must be 1: every update is counted on its own.")
        trained = self.model.trainable_variables
        if [id(variable) for variable in trained] != [id(each) for each in self._trained]:
            raise InputError(
                "Which weights are trained was changed after the PrivateModel was made; freeze "
                "them first and make a new one."
            )

    def get_config(self) -> dict[str, Any]:
        """Refuses: the key and the ledger do not belong into a saved model."""
        raise NotImplementedError("Save the wrapped .model, or export with tfdpzoo.export.")


_PAST_THE_LEDGER = "Updates were executed outside of fit, which the ledger did not count."
_FIXED_SEED = "The sampling or the noise was drawn from a fixed, known seed."
