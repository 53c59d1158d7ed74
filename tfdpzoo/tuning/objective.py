"""The one objective whose cost is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfdpzoo.errors import InputError

if TYPE_CHECKING:
    import keras_tuner

OBJECTIVE = "held_out_accuracy"
"""The noised accuracy on the held-out examples, which are part of the protected ones."""


def counted_objective() -> keras_tuner.Objective:
    """Returns the objective that every search has."""
    # KerasTuner imports TensorFlow, and the command line looks at the name alone.
    import keras_tuner

    return keras_tuner.Objective(OBJECTIVE, direction="max")


def require_counted_objective(name: str) -> None:
    """Refuses an objective whose privacy nobody counts.

    Args:
        name: Of the objective.

    Raises:
        InputError: It is computed on training examples, or on data outside of the guarantee.

    Example:
        >>> require_counted_objective("held_out_accuracy")
    """
    if name == OBJECTIVE:
        return
    if name.startswith(("val_", "test_")):
        raise InputError(
            f"The objective {name} is computed on examples that the guarantee does not cover, and "
            "choosing by it would reveal them, and spoil them for the evaluation; use "
            f"{OBJECTIVE}, whose examples are counted."
        )
    raise InputError(
        f"The objective {name} is computed on the training examples, without noise, so that "
        f"choosing by it costs privacy that nobody counts; use {OBJECTIVE}."
    )
