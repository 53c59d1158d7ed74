"""What a trainer can declare of the tuning, for whoever needs no more of a record."""

from __future__ import annotations

from collections.abc import Mapping

DECLARED: Mapping[str, str] = {
    "none": (
        "declared by the trainer: no hyper-parameter, no architecture and no run was chosen by "
        "what these examples show"
    ),
    "public": (
        "declared by the trainer: hyper-parameters, architecture and run were chosen on public "
        "data alone"
    ),
}
"""What a record says for each declaration."""

DECLARATIONS: tuple[str, ...] = tuple(DECLARED)
"""Who declares nothing gets `not accounted`."""
