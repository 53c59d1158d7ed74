"""What converters raise, for people."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tfdpzoo.errors import InputError

_LONGEST_REASON = 200


@contextlib.contextmanager
def told_in_one_sentence(converter: str) -> Iterator[None]:
    """Makes an `InputError` of whatever a converter raises in the `with` block.

    Converters raise errors of every kind for a layer that they do not know.

    Args:
        converter: Its name.

    Raises:
        InputError: The block raised something.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        reason = line[:_LONGEST_REASON].rstrip(". ")
        raise InputError(f"{converter} cannot convert this model: {reason}.") from error
