"""Per-example gradients from one forward and one backward pass.

The loss of a batch is a sum over examples, and no layer mixes examples. So one backward pass that
stops at the outputs of the layers that own weights gives every example's gradient there, and each
layer's weights see only its own input and that gradient: a local rule turns the two into
per-example weight gradients. Time and memory grow with the batch, not with its square as those of
`tape.jacobian`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.gradients import Instantiated, PerExampleGradient, RowGradients, total
from tfdpzoo.dpsgd.losses import PerExampleLoss, mean_of_views
from tfdpzoo.dpsgd.own_graph import in_own_graph
from tfdpzoo.dpsgd.rules import rule_for
from tfdpzoo.dpsgd.rules.fallback import generic_gradients

_WHOLE_UNITS = (keras.layers.RNN, keras.layers.Bidirectional, keras.layers.TimeDistributed)


@dataclasses.dataclass(frozen=True)
class TappedCall:
    """A call whose per-example gradients follow from its input and its output's gradient.

    Attributes:
        layer: The layer.
        arguments: What it was called with, positional and named.
        sources: Its output, before the activation where the layer has a rule.
        training: What the model's layers are told, as in Keras.
    """

    layer: keras.layers.Layer
    arguments: tuple[tuple, dict[str, Any]]
    sources: list[tf.Tensor]
    training: bool

    @property
    def has_rule(self) -> bool:
        """Whether the call is differentiated by a rule, not generically."""
        return rule_for(self.layer) is not None

    def gradients(self, source_gradients: list[tf.Tensor], views: int) -> list[PerExampleGradient]:
        """Returns the gradient of each of the layer's trainable variables."""
        return [rows.of_examples(views) for rows in self._row_gradients(source_gradients)]

    def _row_gradients(self, source_gradients: list[tf.Tensor]) -> list[RowGradients]:
        output_gradient = tf.convert_to_tensor(source_gradients[0])
        rule = rule_for(self.layer)
        if rule is None or rule.from_output is None:
            return generic_gradients(
                self.layer, self.arguments, output_gradient, training=self.training
            )
        # Not before the gradient is there: patches of all layers at once would fill the memory.
        with tf.control_dependencies([output_gradient]):
            inputs = tf.identity(_first_argument(self.arguments))
        if inputs.dtype.is_floating:
            inputs = tf.cast(inputs, tf.float32)
        return rule.from_output(self.layer, inputs, tf.cast(output_gradient, tf.float32))


@dataclasses.dataclass(frozen=True)
class ExpandedLayerCall:
    """A call in which every example had its own copy of the variables.

    Attributes:
        layer: The layer.
        sources: The copies, one for each trainable variable, `(B, *variable.shape)`.
    """

    layer: keras.layers.Layer
    sources: list[tf.Tensor]
    has_rule = True

    def gradients(self, source_gradients: list[tf.Tensor], views: int) -> list[PerExampleGradient]:
        """Returns the gradient of each of the layer's trainable variables."""
        del views  # All views of an example saw one copy.
        return [Instantiated(gradient) for gradient in source_gradients]


LayerCall = TappedCall | ExpandedLayerCall


def _first_argument(arguments: tuple[tuple, dict[str, Any]]) -> tf.Tensor:
    positional, named = arguments
    return positional[0] if positional else next(iter(named.values()))


@dataclasses.dataclass(frozen=True)
class Differentiated:
    """The outputs and per-example gradients of B examples.

    Attributes:
        gradients: One entry for each of `model.trainable_variables`, in their order.
        predictions: The model's output for the first view of each example, `(B, ...)`.
        losses: `(B,)`, each the mean over an example's views.
    """

    gradients: list[PerExampleGradient]
    predictions: tf.Tensor
    losses: tf.Tensor


def differentiate(
    model: keras.Model,
    loss: PerExampleLoss,
    images: tf.Tensor,
    labels: tf.Tensor,
    *,
    views: int = 1,
    training: bool = True,
) -> Differentiated:
    """Computes the loss and its per-example gradients for one physical batch.

    Args:
        model: A model in which no layer mixes examples (see `tfdpzoo.dpsgd.validation`).
        loss: Gives the loss of each example.
        images: `(B * views, ...)`, the model's input; the views of an example are neighbours.
        labels: `(B * views, ...)`.
        views: How many rows belong to one example, whose loss is their mean.
        training: What the model's layers are told, as in Keras.

    Source:
        Lee and Kifer, "Scaling up differentially private deep learning with fast per-example
        gradient clipping", PoPETs 2021 (arXiv 2009.03106): gradients from layer inputs and output
        gradients.
    """
    calls: list[LayerCall] = []
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        with _recording(layers_with_weights(model), calls, tape, views, training):
            predictions = model(images, training=training)
        losses = mean_of_views(loss(labels, predictions), views)
        total_loss = tf.reduce_sum(losses)
    source_gradients = tape.gradient(
        total_loss,
        [call.sources for call in calls],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    gradients = _gradients_by_variable(calls, source_gradients, views)
    batch = tf.shape(images)[0] // views
    return Differentiated(
        [_total_or_zero(gradients, variable, batch) for variable in model.trainable_variables],
        predictions[::views],
        losses,
    )


def differentiate_one_by_one(
    model: keras.Model,
    loss: PerExampleLoss,
    images: tf.Tensor,
    labels: tf.Tensor,
    *,
    views: int = 1,
    training: bool = True,
) -> Differentiated:
    """Computes the same as `differentiate` by vectorising the whole model over examples.

    It makes no assumption on what layers do with the batch axis, since each example is a batch of
    its own, and is several times slower.

    Args:
        model: Any model.
        loss: Gives the loss of each example.
        images: `(B * views, ...)`, the model's input; the views of an example are neighbours.
        labels: `(B * views, ...)`.
        views: How many rows belong to one example, whose loss is their mean.
        training: What the model's layers are told, as in Keras.
    """
    variables = [variable.value for variable in model.trainable_variables]

    def one_example(row: tuple[tf.Tensor, tf.Tensor]) -> tuple:
        own_images, own_labels = row
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            prediction = tf.cast(model(own_images, training=training), tf.float32)
            mean = tf.reduce_mean(loss(own_labels, prediction))
        zero = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(mean, variables, unconnected_gradients=zero)
        return [tf.cast(each, tf.float32) for each in gradients], prediction[0], mean

    examples = tuple(
        tf.reshape(values, (-1, views, *values.shape[1:])) for values in (images, labels)
    )
    if seed_generators(model):
        # Vectorised, all examples would share one draw of a dropout mask.
        signature = ([tf.float32] * len(variables), tf.float32, tf.float32)
        results = tf.map_fn(in_own_graph(one_example), examples, fn_output_signature=signature)
    else:
        results = tf.vectorized_map(one_example, examples)
    gradients, predictions, losses = results
    return Differentiated([Instantiated(each) for each in gradients], predictions, losses)


def seed_generators(layer: keras.layers.Layer) -> list[keras.random.SeedGenerator]:
    """Returns the generators of random numbers of a layer and of the layers inside it."""
    found = {
        id(generator): generator
        for part in layer._flatten_layers()
        for generator in getattr(part, "_seed_generators", ())
    }
    return list(found.values())


Differentiate = Callable[..., Differentiated]


def recorded_calls(model: keras.Model, images: tf.Tensor) -> list[LayerCall]:
    """Returns the calls of layers with weights that a forward pass makes."""
    calls: list[LayerCall] = []
    with (
        tf.GradientTape(watch_accessed_variables=False) as tape,
        _recording(layers_with_weights(model), calls, tape, views=1, training=False),
    ):
        model(images, training=False)
    return calls


def layers_with_weights(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns the innermost layers that own trainable variables, each once.

    A layer that has both variables of its own and layers inside is one unit, and so are recurrent
    layers, which call what is inside them in a loop.
    """
    if not layer.trainable_variables:
        return []
    children = list(layer._layers)
    owned = {id(variable) for child in children for variable in child.trainable_variables}
    owns_more = any(id(variable) not in owned for variable in layer.trainable_variables)
    if owns_more or isinstance(layer, _WHOLE_UNITS):
        return [layer]
    found = {id(unit): unit for child in children for unit in layers_with_weights(child)}
    return list(found.values())


@contextlib.contextmanager
def _recording(
    layers: list[keras.layers.Layer],
    calls: list[LayerCall],
    tape: tf.GradientTape,
    views: int,
    training: bool,
) -> Iterator[None]:
    """Lets every call of `layers` add a `LayerCall`; the layers are as before afterwards."""
    try:
        for layer in layers:
            # Past Keras' attribute tracking: this is no state of the layer.
            vars(layer)["call"] = _recorded_call(layer, calls, tape, views, training)
        yield
    finally:
        for layer in layers:
            vars(layer).pop("call", None)


def _recorded_call(
    layer: keras.layers.Layer,
    calls: list[LayerCall],
    tape: tf.GradientTape,
    views: int,
    training: bool,
) -> Callable[..., tf.Tensor]:
    call = type(layer).call.__get__(layer)
    rule = rule_for(layer)

    def tapped(*args: Any, **kwargs: Any) -> tf.Tensor:
        if rule is None:
            return _tap(call(*args, **kwargs), args, kwargs)
        with _without_activation(layer) as activation:
            output = call(*args, **kwargs)
        return activation(_tap(output, args, kwargs))

    def _tap(output: tf.Tensor, args: tuple, kwargs: dict[str, Any]) -> tf.Tensor:
        output = tf.identity(output)
        tape.watch(output)
        calls.append(TappedCall(layer, (args, kwargs), [output], training))
        return output

    if rule is None or rule.expanded is None:
        return tapped
    expanded_call = rule.expanded

    def expanded(inputs: tf.Tensor, **kwargs: Any) -> tf.Tensor:
        copies = [
            _copies(variable, tf.shape(inputs)[0] // views)
            for variable in layer.trainable_variables
        ]
        tape.watch(copies)
        calls.append(ExpandedLayerCall(layer, copies))
        of_rows = copies if views == 1 else [tf.repeat(each, views, axis=0) for each in copies]
        return expanded_call(layer, inputs, *of_rows)

    return expanded


@contextlib.contextmanager
def _without_activation(layer: keras.layers.Layer) -> Iterator[Callable[[tf.Tensor], tf.Tensor]]:
    """Lets a layer compute its output before the activation, and gives the activation."""
    activation = getattr(layer, "activation", None)
    if activation is None:
        yield lambda output: output
        return
    vars(layer)["activation"] = keras.activations.linear
    try:
        yield activation
    finally:
        vars(layer)["activation"] = activation


def _copies(variable: keras.Variable, number: tf.Tensor) -> tf.Tensor:
    value = tf.cast(variable.value, tf.float32)
    return tf.repeat(value[None], number, axis=0)


def _gradients_by_variable(
    calls: list[LayerCall], source_gradients: list[list[tf.Tensor]], views: int
) -> dict[int, list[PerExampleGradient]]:
    gradients: dict[int, list[PerExampleGradient]] = {}
    for call, of_sources in zip(calls, source_gradients, strict=True):
        for variable, gradient in zip(
            call.layer.trainable_variables, call.gradients(of_sources, views), strict=True
        ):
            gradients.setdefault(id(variable), []).append(gradient)
    return gradients


def _total_or_zero(
    gradients: dict[int, list[PerExampleGradient]], variable: keras.Variable, batch: tf.Tensor
) -> PerExampleGradient:
    found = gradients.get(id(variable))
    if found is None:
        return Instantiated(tf.zeros((batch, *variable.shape)))
    return total(found)
