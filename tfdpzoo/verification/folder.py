"""Verification of a version's folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tfdpzoo.errors import InputError
from tfdpzoo.signature import PrivacySignature, fingerprint
from tfdpzoo.verification.arithmetic import check_arithmetic
from tfdpzoo.verification.report import VerificationReport
from tfdpzoo.version_folder import (
    PRIVACY_FILE,
    SIGNATURE_FILE,
    PrivacyFile,
    file_digests,
    find_version,
    read_privacy_file,
)


def verify_folder(
    path: str | Path,
    *,
    key: Ed25519PublicKey | None = None,
    before_loading: Callable[[], None] | None = None,
) -> VerificationReport:
    """Checks an exported model against its own privacy record; takes seconds.

    TensorFlow is imported only for a model whose files are all as they were written.

    Args:
        path: A version's folder, or a model's folder, of which the newest version is taken.
        key: Whose signature is demanded; by default none is.
        before_loading: Called before TensorFlow is imported.

    Returns:
        The report; `ok` is False where anything is missing, altered or miscalculated.

    Raises:
        InputError: There is no SavedModel at `path`.
    """
    folder = find_version(path)
    try:
        record = read_privacy_file(folder)
    except InputError as error:
        return VerificationReport(str(folder), folder, False, (str(error),), None, None)
    signer, problems = _signature_problems(folder, record, key)
    problems += _altered_files(folder, record.files)
    if not problems:
        if before_loading is not None:
            before_loading()
        from tfdpzoo.verification.loaded import loaded_problems

        problems += loaded_problems(folder, record)
    epsilon = None
    if not problems:
        epsilon, miscalculated = check_arithmetic(record.guarantee)
        problems += miscalculated
    return VerificationReport(
        str(folder),
        folder,
        not problems,
        tuple(problems),
        record.guarantee,
        epsilon,
        signer=signer,
    )


def _signature_problems(
    folder: Path, record: PrivacyFile, key: Ed25519PublicKey | None
) -> tuple[str | None, list[str]]:
    """Returns who signed, if the signature is good, and what is wrong with it."""
    try:
        signature = PrivacySignature.read(folder)
    except InputError as error:
        return None, [str(error)]
    if signature is None:
        return None, [] if key is None else ["It is not signed, but a signature was asked for."]
    if not signature.fits(record.content):
        return None, [f"The signature in {SIGNATURE_FILE} is not one of this {PRIVACY_FILE}."]
    if key is not None and signature.fingerprint != fingerprint(key):
        return signature.fingerprint, [
            f"It is signed by the key with the fingerprint {signature.fingerprint}, and not by the "
            f"one that was given, {fingerprint(key)}."
        ]
    return signature.fingerprint, []


def _altered_files(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    try:
        found = file_digests(folder)
    except OSError as error:
        yield f"A file of the model cannot be read: {error.filename}, {error.strerror}."
        return
    for name in sorted({*files, *found}):
        if name not in found:
            yield f"The file {name} is missing."
        elif name not in files:
            yield f"The file {name} was added: {PRIVACY_FILE} does not list it."
        elif found[name] != files[name]:
            yield f"The file {name} was altered: it does not have the digest in {PRIVACY_FILE}."
