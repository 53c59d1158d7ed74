"""The share of the examples on which trials are scored."""

from __future__ import annotations

from tfdpzoo.errors import InputError


def require_share(share: float) -> None:
    """Refuses a share of examples that cannot be held out.

    Raises:
        InputError: It is not above 0 and below 1.
    """
    if not 0 < share < 1:
        raise InputError(
            f"The held-out share of the training examples must be above 0 and below 1, not "
            f"{share!r}; 0.1 is usual."
        )
