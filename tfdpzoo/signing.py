"""Signing: whoever trained a model stands behind it, with a key."""

from __future__ import annotations

import contextlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tfdpzoo.durable_file import UNFINISHED
from tfdpzoo.errors import InputError
from tfdpzoo.signature import PrivacySignature, fingerprint
from tfdpzoo.verification.folder import verify_folder
from tfdpzoo.version_folder import SIGNATURE_FILE, read_privacy_file


def sign(folder: str | Path, key: Ed25519PrivateKey) -> PrivacySignature:
    """Signs a version, after it was verified.

    Args:
        folder: The version's folder.
        key: From `tfdpzoo.signature.read_private_key`.

    Returns:
        The signature, which is in the folder when this returns.

    Raises:
        InputError: The model does not verify, another key has signed it, or the signature cannot be
            written.
    """
    folder = Path(folder)
    # What a crash left of an earlier signature would count as a file that was added.
    with contextlib.suppress(OSError):
        (folder / (SIGNATURE_FILE + UNFINISHED)).unlink()
    record = read_privacy_file(folder)
    report = verify_folder(folder)
    if not report.ok:
        raise InputError(f"{folder} is not intact and was not signed. {report.problems[0]}")
    if read_privacy_file(folder).content != record.content:
        raise InputError(f"{folder} was altered while it was verified and was not signed.")
    own = fingerprint(key.public_key())
    if report.signer not in (None, own):
        raise InputError(
            f"{folder} is signed already, by the key with the fingerprint {report.signer}; remove "
            f"{folder / SIGNATURE_FILE} if your signature is to take its place."
        )
    signature = PrivacySignature.made_of(record.content, key)
    signature.write(folder)
    return signature
