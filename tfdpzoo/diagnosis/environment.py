"""Checks of environment variables that change what TensorFlow does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tfdpzoo.diagnosis.finding import Finding, Status


@dataclass(frozen=True)
class Trap:
    """A variable that does harm.

    Attributes:
        variable: Its name.
        harms: Tells of a value whether it does.
        status: How bad that is.
        text: What it does.
        fix: What to do.
    """

    variable: str
    harms: Callable[[str], bool]
    status: Status
    text: str
    fix: str | None = None


def _is_on(value: str) -> bool:
    return value.strip().lower() in ("1", "true", "yes", "on")


def _is_off(value: str) -> bool:
    return value.strip().lower() in ("0", "false", "no", "off")


TRAPS = (
    Trap(
        "TF_USE_LEGACY_KERAS",
        _is_on,
        Status.PROBLEM,
        "makes tf.keras Keras 2, with which TF-Privacy's optimizer and KerasTuner fail here",
    ),
    Trap(
        "KERAS_BACKEND",
        lambda value: value.strip() not in ("", "tensorflow"),
        Status.PROBLEM,
        "takes another backend than TensorFlow; the commands do not heed it, Python code does",
        "export KERAS_BACKEND=tensorflow",
    ),
    Trap(
        "TF_DETERMINISTIC_OPS",
        _is_on,
        Status.NOTE,
        "makes TensorFlow slower and refuse some operations; the draws of a run are repeatable "
        "without it",
    ),
    Trap(
        "TF_ENABLE_ONEDNN_OPTS",
        _is_off,
        Status.NOTE,
        "makes training slower on a processor; a run that goes on with another value takes a new "
        "key, as its sums round otherwise",
    ),
    Trap(
        "CUDA_VISIBLE_DEVICES",
        lambda value: value.strip() in ("", "-1"),
        Status.NOTE,
        "hides every GPU from TensorFlow",
    ),
    Trap(
        "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION",
        lambda value: value.strip() == "python",
        Status.NOTE,
        "makes exporting and loading of models many times slower",
    ),
    Trap(
        "TF_XLA_FLAGS",
        lambda value: "auto_jit" in value,
        Status.NOTE,
        "lets XLA compile everything, which takes minutes on a processor and rounds otherwise",
    ),
    Trap(
        "NVIDIA_TF32_OVERRIDE",
        _is_on,
        Status.PROBLEM,
        "forces TensorFloat-32, with which clipped gradients may be a thousandth too long",
    ),
)
"""What is known to do harm."""


def check_environment(environ: Mapping[str, str]) -> list[Finding]:
    """Looks for variables that do harm.

    Args:
        environ: The environment.

    Example:
        >>> [each.subject for each in check_environment({"TF_USE_LEGACY_KERAS": "1"})]
        ['TF_USE_LEGACY_KERAS']
    """
    found = [
        Finding(
            trap.variable,
            trap.status,
            f"is {environ[trap.variable]!r}, which {trap.text}",
            trap.fix or f"unset {trap.variable}",
        )
        for trap in TRAPS
        if trap.variable in environ and trap.harms(environ[trap.variable])
    ]
    return found or [Finding("Environment", Status.OK, "no variable in the way of TensorFlow")]
