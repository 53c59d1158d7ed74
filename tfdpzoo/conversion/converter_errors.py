"""What converters and runtimes raise, for people."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tfdpzoo.errors import InputError

_LONGEST_REASON = 200


@contextlib.contextmanager
def told_in_one_sentence(failure: str) -> Iterator[None]:
    """Makes an `InputError` of whatever is raised in the `with` block.

    Converters and runtimes raise errors of every kind for a layer that they do not know.

    Args:
        failure: What went wrong then, the beginning of the sentence.

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
        raise InputError(f"{failure}: {reason}.") from error
