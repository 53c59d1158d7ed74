"""Keras optimizers made private by TF-Privacy's factory."""

from __future__ import annotations

import functools
from typing import Any

import keras

from tfdpzoo.dpsgd.tf_privacy import make_vectorized_keras_optimizer_class
from tfdpzoo.errors import InputError


def make_private_optimizer(
    optimizer: keras.optimizers.Optimizer | str | dict[str, Any], clip_norm: float
) -> keras.optimizers.Optimizer:
    """Returns the vectorized TF-Privacy optimizer of the same kind and settings.

    The optimizer takes noised mean gradients through `apply_gradients`. Its own noise is off: noise
    is drawn once for an update, by `tfdpzoo.dpsgd.noise`, after all chunks and replicas are added
    up.

    Args:
        optimizer: A Keras optimizer, its name or its configuration; schedules are kept and count
            updates.
        clip_norm: C.

    Raises:
        InputError: The optimizer scales the loss or accumulates gradients, which would change what
            is clipped or how often noise is added.

    Example:
        >>> private = make_private_optimizer(keras.optimizers.SGD(2.0), clip_norm=1.0)
        >>> type(private).__name__, isinstance(private, keras.optimizers.SGD)
        ('VectorizedDPKerasSGD', True)
    """
    original = keras.optimizers.get(optimizer)
    if isinstance(original, keras.optimizers.LossScaleOptimizer):
        raise InputError(
            "A LossScaleOptimizer scales the loss before gradients are clipped; give the optimizer "
            "inside it."
        )
    config = original.get_config()
    for setting in ("loss_scale_factor", "gradient_accumulation_steps"):
        if config.get(setting) is not None:
            raise InputError(
                f"The optimizer has {setting}={config[setting]!r}, which private training cannot "
                "use; leave it out (large batches are split into chunks on their own)."
            )
    # A schedule is handed over itself: not every one can be made again from a configuration.
    if callable(original._learning_rate):
        config["learning_rate"] = original._learning_rate
    private_class = _private_class(original.__class__)
    return private_class(
        l2_norm_clip=clip_norm,
        noise_multiplier=0.0,
        num_microbatches=None,
        unconnected_gradients_to_zero=True,
        **config,
    )


@functools.cache
def _private_class(optimizer_class: Any) -> Any:
    private = make_vectorized_keras_optimizer_class(optimizer_class)
    # Names the class, and the scope of its gradients: TF-Privacy reads `_name`, as Keras 2 had it.
    private.__name__ = private._name = f"VectorizedDPKeras{optimizer_class.__name__}"
    # Keras adds up the gradients of replicas; here they are added up before noise is, and each
    # replica has the sum.
    private._all_reduce_sum_gradients = staticmethod(_already_added_up)
    return private


def _already_added_up(gradients_and_variables: Any) -> Any:
    return gradients_and_variables


def apply_private_gradients(
    optimizer: keras.optimizers.Optimizer, gradients: list[Any], variables: list[Any]
) -> None:
    """Gives noised gradients to a private optimizer.

    TF-Privacy's optimizer refuses gradients unless its own method computed them, to catch training
    that is not private by accident. Here it is told that they are.
    """
    optimizer._was_dp_gradients_called = True
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
