"""Refuses models and losses that mix examples: clipping then bounds no one's influence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import op_def_registry

from tfdpzoo.dpsgd.engine import Engine
from tfdpzoo.dpsgd.losses import PerExampleLoss
from tfdpzoo.dpsgd.per_example import (
    Differentiate,
    differentiate,
    differentiate_one_by_one,
    recorded_calls,
    seed_generators,
)
from tfdpzoo.errors import InputError

_PROBES = 3
_RANDOM_PASSES = 4
_UNKNOWN_SIDE = 32
_SEED = 20220509
_EQUAL_ENGINES = 0.1
# A gradient shorter than this counts as zero.
_NEGLIGIBLE = 1e-3

# Rounding may depend on the place of a row in a batch; mixing moves outputs by far more than this.
_SAME = 1e-3
# What is missed when a use of a variable is missed is far larger than the rounding of a sum.
_EQUAL_GRADIENTS = {"float32": 1e-3, "bfloat16": 1e-1}
# Moves pixels by several times the rounding of all layers of a deep network together.
_DISTURBANCE = {"float32": 1e-4, "bfloat16": 1e-2}
_DISTURBANCES = 4

_READING = frozenset(
    {"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape", "VarIsInitializedOp"}
)

_MIXING_LAYERS = {
    keras.layers.BatchNormalization: (
        "normalises over the batch, so every example moves the gradients of all others; use "
        "GroupNormalization"
    ),
    keras.layers.MixUp: "blends each image with another of the batch; leave it out",
    keras.layers.CutMix: "pastes parts of other images of the batch; leave it out",
}


def require_private_trainable(model: keras.Model) -> None:
    """Checks that a model can be trained with per-example clipping.

    The layers are walked for known offenders, the graph of a training pass is searched for state
    that it writes, and the model is probed: moving one example of a batch must not move the output
    for another, nor the gradient at it, in inference and in training.

    Args:
        model: A built model with one input and one output.

    Raises:
        InputError: With every reason that was found, and what to use instead.
    """
    problems = [*_problems_of_policy(model), *_problems_of_layers(model)]
    if not problems:
        problems = [*_problems_of_state(model), *_problems_of_probe(model)]
    if problems:
        raise InputError(
            f"{model.name} cannot be trained with differential privacy: " + " ".join(problems)
        )


def require_isolated_losses(loss: PerExampleLoss, classes: int, labels: np.ndarray) -> None:
    """Checks that a loss means the same for an example alone as in a batch.

    The loss is computed for each example alone in any case; this finds losses that were meant
    otherwise.

    Args:
        loss: A per-example loss.
        classes: Width of the predictions.
        labels: At least two labels of the right form.

    Raises:
        InputError: The loss mixes examples, or gives one number for the whole batch.
    """
    random = np.random.default_rng(_SEED).uniform(0.1, 0.9, (len(labels), classes))
    predictions = tf.constant(random, tf.float32)
    alone, of_alone = _with_gradient(loss, labels, predictions)
    together, of_together = _with_gradient(loss.of_batch, labels, predictions)
    if together.shape.rank == 0:
        raise InputError(
            "The loss gives one number for the whole batch; private training needs a loss that "
            "gives one for each example, such as keras.losses.SparseCategoricalCrossentropy."
        )
    means = tf.reduce_mean(together, axis=list(range(1, together.shape.rank)))
    if means.shape != alone.shape or _differ(alone, means) or _differ(of_alone, of_together):
        raise InputError(
            "The loss mixes examples: an example has another loss or gradient in a batch than "
            "alone, so that clipping would bound no one's influence. Use a loss of each example "
            "alone."
        )


def _with_gradient(
    loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], labels: np.ndarray, predictions: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    with tf.GradientTape() as tape:
        tape.watch(predictions)
        values = tf.convert_to_tensor(loss(tf.convert_to_tensor(labels), predictions))
        means = tf.reduce_mean(values, axis=list(range(1, values.shape.rank or 1)))
        total = tf.reduce_sum(means)
    return values, tape.gradient(total, predictions, unconnected_gradients="zero")


def choose_differentiation(
    model: keras.Model, loss: PerExampleLoss, labels: np.ndarray
) -> Differentiate:
    """Returns the rules where they find all gradients of a model, or else the generic way.

    Args:
        model: The model that is trained.
        loss: Its per-example loss.
        labels: Labels of the right form.

    Raises:
        InputError: Neither gives each example its gradient.
    """
    ways: list[Differentiate] = [differentiate] if rules_see_examples(model) else []
    for way in (*ways, differentiate_one_by_one):
        if covers(way, model, loss, labels):
            return way
    raise InputError(
        f"The gradients of single examples do not add up to the gradient of {model.name}; "
        "a layer may depend on the size of the batch, or give values that are not numbers."
    )


def covers(
    differentiate: Differentiate, model: keras.Model, loss: PerExampleLoss, labels: np.ndarray
) -> bool:
    """Tells whether a way to differentiate gives each example its gradient, on random images.

    Every example's gradient within a batch is compared with the ordinary gradient of that example
    alone. Rules would miss a variable that is used outside of its own layer's call, and would take
    one example for another where a layer is called with the rows in another order.

    Rounding differs between an example alone and in a batch, and makes max-pooling choose other
    pixels, in a deep network so many that a gradient moves by a percent. So the two may differ by
    twice as much as the ordinary gradient moves when the pixels move by a little more than
    rounding: the most of a few times, since once need not meet the pixels that rounding has met.

    Args:
        differentiate: `differentiate` or `differentiate_one_by_one`.
        model: The model that is trained.
        loss: Its per-example loss.
        labels: Labels of the right form.
    """
    images = probe_images(model)
    chosen = tf.convert_to_tensor(labels[np.arange(len(images)) % len(labels)])
    try:
        found = differentiate(model, loss, images, chosen, training=False).gradients
    except (ValueError, tf.errors.InvalidArgumentError):
        return False
    precision = compute_precision(model)
    for row in range(len(images)):
        here = slice(row, row + 1)
        alone = _ordinary_gradient(model, loss, images[here], chosen[here])
        only = tf.one_hot(row, len(images))
        within = [gradient.weighted_sum(only) for gradient in found]
        moved = _movement(model, loss, images[here], chosen[here], alone)
        if not _largest_error(within, alone) <= _EQUAL_GRADIENTS[precision] + 2 * moved:
            return False
    return True


def clips_single_examples(engine: Engine, clip_norm: float, labels: np.ndarray) -> bool:
    """Tells whether an engine's sum over one example of a batch is that example's clipped gradient.

    TensorFlow vectorises the gradient of some operations wrongly, or to what it cannot compute,
    grouped convolutions among them, and TF-Privacy's own gradients go through it. A model that
    draws random numbers is not checked.

    Args:
        engine: What computes a chunk.
        clip_norm: C.
        labels: Labels of the right form.
    """
    model, views = engine.model, engine.views
    if seed_generators(model):
        return True  # Each pass draws anew, so that there is nothing to compare with.
    images = probe_images(model)
    chosen = tf.convert_to_tensor(labels[np.arange(len(images)) % len(labels)])
    repeated = tf.repeat(images, views, axis=0), tf.repeat(chosen, views, axis=0)
    for row in range(len(images)):
        here = slice(row, row + 1)
        alone = _ordinary_gradient(model, engine.loss, images[here], chosen[here])
        clipped, _ = tf.clip_by_global_norm(alone, clip_norm)
        try:
            found = engine(*repeated, tf.one_hot(row, len(images))).gradients
        except tf.errors.InvalidArgumentError:
            return False
        if not _largest_error(found, clipped) <= _EQUAL_ENGINES:
            return False
    return True


def compute_precision(model: keras.Model) -> str:
    """Returns the lowest precision in which a layer computes: `"float32"` or `"bfloat16"`."""
    dtypes = {part.compute_dtype for part in _walk(model)}
    return "bfloat16" if "bfloat16" in dtypes else "float32"


def _movement(
    model: keras.Model,
    loss: PerExampleLoss,
    image: tf.Tensor,
    label: tf.Tensor,
    gradient: list[tf.Tensor],
) -> float:
    """How far an example's gradient moves, relative to its length, when pixels move a little."""
    random = np.random.default_rng(_SEED)
    size = _DISTURBANCE[compute_precision(model)]
    movements = []
    for _ in range(_DISTURBANCES):
        signs = tf.constant(random.choice([-1.0, 1.0], image.shape), tf.float32)
        nearby = _ordinary_gradient(model, loss, image * (1 + size * signs), label)
        movements.append(_largest_error(nearby, gradient))
    return max(movements)


def _largest_error(found: list[tf.Tensor], expected: list[tf.Tensor]) -> float:
    """The largest error of a variable's gradient, relative to the length of that gradient."""
    errors = [
        float(tf.norm(one - other) / (_NEGLIGIBLE + tf.norm(other)))
        for one, other in zip(found, expected, strict=True)
    ]
    return float(np.max(errors, initial=0.0))  # NaN stays NaN.


def _ordinary_gradient(
    model: keras.Model, loss: PerExampleLoss, images: tf.Tensor, labels: tf.Tensor
) -> list[tf.Tensor]:
    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(loss(labels, model(images, training=False)))
    gradients = tape.gradient(total, variables, unconnected_gradients="zero")
    return [tf.convert_to_tensor(gradient) for gradient in gradients]


def rules_see_examples(model: keras.Model) -> bool:
    """Tells whether every layer that owns weights is called with a row for each example.

    A layer whose call draws random numbers and that has no rule would be differentiated with other
    draws than those of the forward pass, so it is not covered either.
    """
    images = probe_images(model)
    for rows in (1, len(images)):
        for call in recorded_calls(model, images[:rows]):
            if any(source.shape.rank == 0 or source.shape[0] != rows for source in call.sources):
                return False
            if not call.has_rule and seed_generators(call.layer):
                return False
    return True


def _problems_of_policy(model: keras.Model) -> Iterator[str]:
    policies = {layer.dtype_policy.name for layer in _walk(model)}
    if policies & {"mixed_float16", "float16"}:
        yield (
            "It computes in float16, whose loss scaling happens before clipping; use float32 or "
            "mixed_bfloat16."
        )


def _problems_of_layers(model: keras.Model) -> Iterator[str]:
    for layer in _walk(model):
        for kind, reason in _MIXING_LAYERS.items():
            if isinstance(layer, kind):
                yield f"The layer {layer.name} ({type(layer).__name__}) {reason}."
        if getattr(layer, "activity_regularizer", None) is not None:
            yield (
                f"The layer {layer.name} adds a loss of the whole batch by its "
                "activity_regularizer; leave it out."
            )


def _walk(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    seen = set()
    for part in layer._flatten_layers():
        if id(part) not in seen:
            seen.add(id(part))
            yield part


def _random_states(layer: keras.layers.Layer) -> list[tf.Variable]:
    return [generator.state.value for generator in seed_generators(layer)]


def _problems_of_state(model: keras.Model) -> Iterator[str]:
    """Searches the graph of a training pass for variables that it writes."""
    signature = tf.TensorSpec(probe_images(model).shape, tf.float32)
    graph = (
        tf.function(lambda images: model(images, training=True), autograph=False)
        .get_concrete_function(signature)
        .graph
    )
    allowed = {id(state.handle) for state in _random_states(model)}
    captured = {id(inner): outer for outer, inner in graph.captures}
    outermost = [
        operation.type
        for operation in graph.get_operations()
        if id(captured.get(id(next(iter(operation.inputs), None)))) not in allowed
    ]
    functions = graph.as_graph_def().library.function
    inside = [node.op for function in functions for node in function.node_def]
    if any(_may_write(kind) for kind in (*outermost, *inside)):
        yield (
            "A training pass changes its state (a running mean or the like) or calls Python code "
            "that may, which would leak examples past the noise; use layers without such state."
        )
    if len(model.losses) > sum(v.regularizer is not None for v in model.trainable_variables):
        yield "It adds a loss in its call (add_loss), which is not clipped; leave it out."


def _may_write(operation: str) -> bool:
    """Tells whether an operation may change what lies outside of the graph."""
    definition = op_def_registry.get(operation)
    if operation in _READING or definition is None:
        return False
    takes_resource = any(each.type == types_pb2.DT_RESOURCE for each in definition.input_arg)
    return takes_resource or "PyFunc" in operation


def _problems_of_probe(model: keras.Model) -> Iterator[str]:
    images = probe_images(model, 2 * _PROBES)
    states = _random_states(model)
    before = [state.numpy() for state in states]
    draws = range(_RANDOM_PASSES if states else 1)
    # Models of pixels and of normalised images are each stirred by one of the two scales.
    passes = [(False, 0, 1.0), *((True, draw, scale) for draw in draws for scale in (1.0, 100.0))]
    try:
        for training, draw, scale in passes:
            probe = _Probe(model, training, [value + draw for value in before])
            problems = list(probe.problems(scale * images))
            if problems:
                yield from problems
                return
    finally:
        for state, value in zip(states, before, strict=True):
            state.assign(value)


class _Probe:
    """Runs a model with the same random draws each time, and compares."""

    def __init__(self, model: keras.Model, training: bool, draws: list[np.ndarray]) -> None:
        self.model = model
        self.training = training
        self.draws = draws

    def problems(self, images: tf.Tensor) -> Iterator[str]:
        """Yields what replacing one image at a time shows, at most one reason.

        Args:
            images: The images, and as many to replace them by.
        """
        images, replacements = images[:_PROBES], images[_PROBES:]
        reference = self._outputs_and_gradients(images)
        if not all(bool(tf.reduce_all(tf.math.is_finite(each))) for each in reference):
            yield (
                "Its output or gradient is not a number for random images between 0 and 2, so that "
                "it cannot be checked; start from weights and a normalisation that give numbers."
            )
            return
        if self._differs(reference, self._outputs_and_gradients(images), range(_PROBES)):
            yield (
                "It draws random numbers that cannot be repeated, so that it cannot be checked; "
                "draw them by keras.random with a keras.random.SeedGenerator, as Dropout does."
            )
            return
        for moved in range(_PROBES):
            others = [row for row in range(_PROBES) if row != moved]
            changed = tf.tensor_scatter_nd_update(images, [[moved]], replacements[moved][None])
            if self._differs(reference, self._outputs_and_gradients(changed), others):
                yield (
                    "It mixes examples: changing one image of a batch moves the output or the "
                    "gradient for another. Every layer must treat each example on its own."
                )
                return

    def _outputs_and_gradients(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        for state, draw in zip(_random_states(self.model), self.draws, strict=True):
            state.assign(draw)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            outputs = tf.cast(self.model(images, training=self.training), tf.float32)
            total = tf.reduce_sum(tf.square(outputs))
        return outputs, tape.gradient(total, images, unconnected_gradients="zero")

    @staticmethod
    def _differs(
        first: tuple[tf.Tensor, ...], second: tuple[tf.Tensor, ...], rows: list[int] | range
    ) -> bool:
        chosen = list(rows)
        return any(
            _differ(tf.gather(one, chosen), tf.gather(other, chosen))
            for one, other in zip(first, second, strict=True)
        )


def _differ(before: tf.Tensor, after: tf.Tensor) -> bool:
    scale = tf.reduce_max(tf.abs(before)) + 1e-30
    return not bool(tf.reduce_max(tf.abs(before - after)) <= _SAME * scale)


def probe_images(model: keras.Model, number: int = _PROBES) -> tf.Tensor:
    """Returns random images between 0 and 2, of the shape that a model takes.

    Args:
        model: A built model.
        number: How many images.

    Raises:
        InputError: The model was not built yet, or has more than one input or output.
    """
    if not model.built:
        raise InputError(f"{model.name} has no weights yet; call it once on a batch of images.")
    if len(getattr(model, "inputs", "1")) != 1 or len(getattr(model, "outputs", "1")) != 1:
        raise InputError(
            f"{model.name} must have one input and one output to be trained privately."
        )
    sides = [side or _UNKNOWN_SIDE for side in _input_shape(model)[1:]]
    values = np.random.default_rng(_SEED).uniform(0.0, 2.0, (number, *sides))
    return tf.constant(values, tf.float32)


def _input_shape(model: keras.Model) -> tuple[int | None, ...]:
    """The shape of a batch; a subclassed model knows it only from what it was built with."""
    if hasattr(model, "inputs"):
        return tuple(model.inputs[0].shape)
    shape = (model.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, tuple):
        raise InputError(
            f"The shape of {model.name}'s input is not known; call it once on a batch of images."
        )
    return shape
