"""From what a person names to what is verified: a folder, a reference, a zip or a served model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tfdpzoo.errors import InputError
from tfdpzoo.registry.location import SAVED_MODELS, locate
from tfdpzoo.verification.archive import unpacked
from tfdpzoo.verification.folder import verify_folder
from tfdpzoo.verification.report import VerificationReport
from tfdpzoo.verification.served import ServedAddress, verify_served

DEFAULT_TIMEOUT = 30.0
"""Seconds to wait for a server."""


def is_served(target: str | Path) -> bool:
    """Whether a target is the address of a server.

    Example:
        >>> is_served("http://localhost:8501/v1/models/digits"), is_served("saved_models/digits")
        (True, False)
    """
    return str(target).startswith(("http://", "https://"))


def is_archive(target: str | Path) -> bool:
    """Whether a target is a file, which can only be an archive of a model."""
    return Path(target).is_file() or str(target).endswith(".zip")


def verify(
    target: str | Path,
    *,
    key: Ed25519PublicKey | None = None,
    model: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    models: Path = SAVED_MODELS,
    before_loading: Callable[[], None] | None = None,
) -> VerificationReport:
    """Checks an exported model against its own privacy record; takes seconds.

    Args:
        target: A version's folder, or a model's folder, of which the newest version is taken; a zip
            of one of these; `NAME`, `NAME:VERSION` or `NAME@ALIAS` of a registered model; or the
            address of a model that TensorFlow Serving serves, of which only the record is seen.
        key: Whose signature is demanded, see `tfdpzoo.signature`; by default none is.
        model: The name of a served model, where the address does not say it.
        timeout: How many seconds to wait for a server.
        models: The registry's folder.
        before_loading: Called before TensorFlow is imported, which no altered model comes to.

    Returns:
        The report; `ok` is False where anything is missing, altered or miscalculated.

    Raises:
        InputError: There is no SavedModel, no whole archive or no server at `target`.

    Example:
        >>> verify("saved_models/smoothnet").ok  # doctest: +SKIP
        True
    """
    if is_served(target):
        return verify_served(ServedAddress.parse(str(target), model), timeout=timeout, key=key)
    if model is not None:
        raise InputError(f"--model {model} is for the address of a server, which {target} is not.")
    if not is_archive(target):
        folder = locate(str(target), models)
        return verify_folder(folder, key=key, before_loading=before_loading)
    with unpacked(target) as folder:
        report = verify_folder(folder, key=key, before_loading=before_loading)
    return dataclasses.replace(report, subject=str(target), path=None)
