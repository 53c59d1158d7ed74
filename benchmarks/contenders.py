"""Who takes part in the comparison."""

from __future__ import annotations

from dataclasses import dataclass

_KERAS = ("tensorflow", "keras")
_PYTORCH = ("torch",)
_JAX = ("jax", "jaxlib")


@dataclass(frozen=True)
class Contender:
    """A way to compute a training step.

    Attributes:
        name: What the page calls it.
        step: `module:function` that makes the step, run in a process of the contender's own.
        framework: `"keras"`, `"pytorch"` or `"jax"`: which builder of a model it uses.
        packages: The packages whose versions belong to its numbers.
        peer: The package that brings it, where it lives in the environment of the peers.
        warm_up: Steps before the first that is timed.
        most_steps: How many steps are timed at most.
    """

    name: str
    step: str
    framework: str
    packages: tuple[str, ...]
    peer: str | None = None
    warm_up: int = 2
    most_steps: int | None = None


OURS = Contender("tfdpzoo", "benchmarks.tensorflow_steps:private", "keras", _KERAS)
ORDINARY = Contender(
    "TensorFlow, not private", "benchmarks.tensorflow_steps:ordinary", "keras", _KERAS
)
# Ten seconds a step, and all the memory of a small machine.
TF_PRIVACY = Contender(
    "TF-Privacy, vectorized",
    "benchmarks.tensorflow_steps:tf_privacy",
    "keras",
    (*_KERAS, "tensorflow-privacy"),
    warm_up=1,
    most_steps=2,
)


def _opacus(mode: str) -> Contender:
    step = f"benchmarks.pytorch_steps:opacus_{mode}"
    return Contender(f"Opacus, {mode}", step, "pytorch", (*_PYTORCH, "opacus"), "opacus")


OPACUS = tuple(_opacus(mode) for mode in ("ghost", "hooks", "functorch"))
JAX_PRIVACY = Contender(
    "JAX-Privacy", "benchmarks.jax_steps:private", "jax", (*_JAX, "jax-privacy"), "jax-privacy"
)
CONTENDERS = (
    OURS,
    ORDINARY,
    TF_PRIVACY,
    *OPACUS,
    Contender(
        "PyTorch, not private", "benchmarks.pytorch_steps:ordinary", "pytorch", _PYTORCH, "opacus"
    ),
    JAX_PRIVACY,
    Contender("JAX, not private", "benchmarks.jax_steps:ordinary", "jax", _JAX, "jax-privacy"),
)
NOT_PRIVATE = {
    contender.framework: contender.name
    for contender in CONTENDERS
    if contender.step.endswith(":ordinary")
}
