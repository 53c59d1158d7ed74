"""What a check found."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Status(str, enum.Enum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        subject: What was looked at, in a word or two.
        status: How bad it is.
        text: What was found.
        fix: What to do about it; None where nothing has to be done.

    Example:
        >>> Finding("Cores", Status.OK, "8").status.value
        'ok'
    """

    subject: str
    status: Status
    text: str
    fix: str | None = None
