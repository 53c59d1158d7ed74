"""The private step: sampling, per-example gradients, clipping, noise. Knows no model by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfdpzoo.dpsgd.clipped_sum import clipped_gradient_sum

__all__ = ["clipped_gradient_sum"]


def __getattr__(name: str) -> Any:
    # Plans and recipes are read without TensorFlow, which takes seconds to import.
    if name in __all__:
        from tfdpzoo.dpsgd.clipped_sum import clipped_gradient_sum

        return clipped_gradient_sum
    raise AttributeError(f"module 'tfdpzoo.dpsgd' has no attribute {name!r}")
