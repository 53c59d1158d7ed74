"""How a registered model is named: `NAME`, `NAME:VERSION` or `NAME@ALIAS`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tfdpzoo.errors import InputError, require_utf8

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_NAME = 100
_VERSION = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True)
class ModelReference:
    """What a reference names.

    Attributes:
        name: The model's name.
        version: The version that is asked for; None for the newest or the alias.
        alias: The alias that is asked for, None without one.

    Example:
        >>> ModelReference.parse("smoothnet-digits@champion").alias
        'champion'
        >>> str(ModelReference.parse("smoothnet-digits:3"))
        'smoothnet-digits:3'
    """

    name: str
    version: int | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> ModelReference:
        """Reads a reference.

        Raises:
            InputError: It has not the form `NAME`, `NAME:VERSION` or `NAME@ALIAS`, or a part of it
                cannot be the name of a folder.
        """
        name, colon, version = text.partition(":")
        if colon:
            if not _VERSION.fullmatch(version):
                raise InputError(
                    f"{text!r} names the version {version!r}; a version is a whole number from 1, "
                    "as in NAME:3."
                )
            return cls(require_name("model", name), version=int(version))
        name, at, alias = text.partition("@")
        if at:
            return cls(require_name("model", name), alias=require_name("alias", alias))
        return cls(require_name("model", name))

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.name}:{self.version}"
        return self.name if self.alias is None else f"{self.name}@{self.alias}"


def is_name(name: str) -> bool:
    """Tells whether `require_name` takes a name.

    Example:
        >>> is_name("smoothnet-digits"), is_name(".hidden"), is_name("a/b"), is_name("")
        (True, False, False, False)
    """
    return len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None


def require_name(kind: str, name: str) -> str:
    """Returns a name that is safe as a folder, in an address and on a page; refuses all others.

    Args:
        kind: What is named, for the error.
        name: The name.

    Raises:
        InputError: The name is empty or too long, or has other characters than letters, digits,
            dots, hyphens and underscores, or does not begin with a letter or digit.

    Example:
        >>> require_name("model", "smoothnet-digits")
        'smoothnet-digits'
    """
    require_utf8(f"The {kind} name", name)
    if not is_name(name):
        shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
        raise InputError(
            f"The {kind} name {shown!r} cannot be used: give up to {_LONGEST_NAME} letters, "
            "digits, dots, hyphens and underscores, beginning with a letter or digit."
        )
    return name
