"""Which rule belongs to which class of layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import keras
import tensorflow as tf

from tfdpzoo.dpsgd.gradients import RowGradients

OutputRule = Callable[[Any, tf.Tensor, tf.Tensor], list[RowGradients]]
"""`(layer, inputs, output_gradients) -> gradients`, one for each trainable variable."""

ExpandedCall = Callable[..., tf.Tensor]
"""`(layer, inputs, *copies) -> output`; example b sees row b of each copy."""

Condition = Callable[[Any], bool]
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True)
class Rule:
    """How a class of layers is differentiated; one of the two functions is given.

    Attributes:
        applies: Tells whether the rule covers a layer of the class as it is configured.
        from_output: Makes per-example gradients of the input and the output's gradient.
        expanded: The layer's call with a copy of its variables for each example, so that ordinary
            gradients of the copies are per-example gradients. For layers of few variables.
    """

    applies: Condition
    from_output: OutputRule | None = None
    expanded: ExpandedCall | None = None


_RULES: dict[type, Rule] = {}


def register_rule(
    layer_class: type[keras.layers.Layer], applies: Condition = lambda layer: True
) -> Callable[[_Function], _Function]:
    """Registers the decorated function as the output rule of a class of layers.

    The function is given the layer, its input and the loss gradient at its output before the
    activation, and returns a `PerExampleGradient` for each trainable variable. A rule holds for
    exactly this class: a subclass may compute something else, so it needs a rule of its own or is
    differentiated generically.

    Args:
        layer_class: The class.
        applies: Tells whether the rule covers a layer of this class as it is configured.

    Example:
        >>> from tfdpzoo.dpsgd.gradients import Instantiated
        >>> class Scale(keras.layers.Layer):
        ...     def build(self, shape):
        ...         self.factor = self.add_weight(shape=(), name="factor")
        ...     def call(self, inputs):
        ...         return inputs * self.factor
        >>> @register_rule(Scale)
        ... def scale_rule(layer, inputs, output_gradients):
        ...     axes = list(range(1, len(inputs.shape)))
        ...     return [Instantiated(tf.reduce_sum(inputs * output_gradients, axes))]
    """

    def register(function: _Function) -> _Function:
        _RULES[layer_class] = Rule(applies, from_output=function)
        return function

    return register


def register_expanded_call(
    layer_class: type[keras.layers.Layer], applies: Condition = lambda layer: True
) -> Callable[[_Function], _Function]:
    """Registers the decorated function as the expanded call of a class of layers.

    Args:
        layer_class: The class; as with `register_rule` exactly this one.
        applies: Tells whether the call covers a layer of this class as it is configured.
    """

    def register(function: _Function) -> _Function:
        _RULES[layer_class] = Rule(applies, expanded=function)
        return function

    return register


def rule_for(layer: keras.layers.Layer) -> Rule | None:
    """Returns the rule that covers a layer as it is configured, if there is one."""
    _register_own_rules()
    rule = _RULES.get(type(layer))
    if rule is None or not rule.applies(layer) or _has_unusual_variables(layer):
        return None
    return rule


def _has_unusual_variables(layer: keras.layers.Layer) -> bool:
    """Tells whether a layer trains other variables than all that its class creates.

    Such are LoRA's, those of an activation that is a layer, and those beside a frozen one.
    """
    changed = getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None)
    trained = {id(variable) for variable in layer.trainable_variables}
    return bool(changed) or trained != {id(variable) for variable in layer._trainable_variables}


def _register_own_rules() -> None:
    from tfdpzoo.dpsgd.rules import (  # noqa: F401
        convolution,
        dense,
        embedding,
        group_convolution,
        normalization,
        scale_bias,
        standardized_convolution,
    )
