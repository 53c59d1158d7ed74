"""Signatures of privacy records: who stands behind a model.

A signature is of the bytes of `assets.extra/privacy.json`, which hold the record and the digest of
every file, so that it binds the whole version. It lies beside it, in `privacy.sig.json`, with the
public key that checks it. Whoever alters a model can sign it anew with a key of their own: a
signature says something only to somebody who knows the signer's key, or its fingerprint, from
elsewhere.

The algorithm is Ed25519 (RFC 8032). What is signed begins with a text that no other use of a key
shares. This module imports no TensorFlow.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tfdpzoo.durable_file import replace_durably
from tfdpzoo.errors import InputError
from tfdpzoo.privacy import strict_json
from tfdpzoo.version_folder import PRIVACY_FILE, SIGNATURE_FILE

_PREFIX = b"tfdpzoo privacy record 1\n"
_KEY = re.compile("[0-9a-f]{64}")
_SIGNATURE = re.compile("[0-9a-f]{128}")
_LARGEST_KEY_FILE = 1 << 16


@dataclass(frozen=True)
class PrivacySignature:
    """What privacy.sig.json holds.

    Attributes:
        format: Of the file.
        algorithm: The algorithm.
        public_key: The signer's public key, 32 bytes in hexadecimal digits.
        signature: 64 bytes in hexadecimal digits.
    """

    format: Literal["tfdpzoo signature 1"]
    algorithm: Literal["Ed25519"]
    public_key: str
    signature: str

    def __post_init__(self) -> None:
        if not (_KEY.fullmatch(self.public_key) and _SIGNATURE.fullmatch(self.signature)):
            raise _damaged()

    @classmethod
    def made_of(cls, content: bytes, key: Ed25519PrivateKey) -> PrivacySignature:
        """Signs the bytes of privacy.json."""
        return cls(
            "tfdpzoo signature 1",
            "Ed25519",
            _raw(key.public_key()).hex(),
            key.sign(_PREFIX + content).hex(),
        )

    @classmethod
    def read(cls, folder: Path) -> PrivacySignature | None:
        """Reads the signature of a version; None where it has none.

        Raises:
            InputError: The file is not exactly what `write` writes, or cannot be read.
        """
        try:
            content = (folder / SIGNATURE_FILE).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"{SIGNATURE_FILE} cannot be read: {error.strerror}.") from error
        try:
            found = strict_json.decode(cls, strict_json.from_text(content))
        except InputError as error:
            raise _damaged() from error
        if found._text().encode() != content:
            raise _damaged()
        return found

    def key(self) -> Ed25519PublicKey:
        """Returns the signer's public key."""
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key))

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the signer's key."""
        return fingerprint(self.key())

    def fits(self, content: bytes) -> bool:
        """Whether it is a signature of these bytes of privacy.json."""
        try:
            self.key().verify(bytes.fromhex(self.signature), _PREFIX + content)
        except (InvalidSignature, ValueError):
            return False
        return True

    def write(self, folder: Path) -> None:
        """Writes the signature into a version, in the place of an earlier one.

        Raises:
            InputError: It cannot be written.
        """
        path = folder / SIGNATURE_FILE
        try:
            replace_durably(path, self._text().encode())
            # Who may read the record may check its signature.
            os.chmod(path, (folder / PRIVACY_FILE).stat().st_mode & 0o777)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}.") from error

    def _text(self) -> str:
        return strict_json.to_text(strict_json.encode(self)) + "\n"


def fingerprint(key: Ed25519PublicKey) -> str:
    """Returns what people compare: the SHA-256 digest of the key's DER form.

    It is what `openssl pkey -pubin -in KEY.pub -outform DER | sha256sum` prints.
    """
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def new_key(path: str | Path) -> str:
    """Makes a key pair: the private key in a file of that name, the public one beside it as `.pub`.

    The private key is readable for its owner alone and is not encrypted. Nothing is overwritten.

    Args:
        path: Of the private key.

    Returns:
        The fingerprint.

    Raises:
        InputError: One of the files exists already or cannot be written.

    Example:
        >>> import tempfile
        >>> print(len(new_key(Path(tempfile.mkdtemp()) / "signing.pem")))
        64
    """
    path = Path(path)
    public = public_key_path(path)
    for each in (path, public):
        if os.path.lexists(each):
            raise InputError(f"{each} exists already, and keys are never overwritten.")
    key = Ed25519PrivateKey.generate()
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    shown = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write_new(path, secret, 0o600)
    try:
        _write_new(public, shown, 0o644)
    except InputError:
        path.unlink()
        raise
    return fingerprint(key.public_key())


def public_key_path(private: Path) -> Path:
    """Returns where the public key of a private one lies."""
    return private.with_name(private.name + ".pub")


def read_private_key(path: str | Path) -> Ed25519PrivateKey:
    """Reads a private key that `new_key` or `openssl genpkey -algorithm ed25519` made.

    Raises:
        InputError: There is no such key at `path`.
    """
    content = _read_key_file(path)
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except TypeError as error:
        raise InputError(
            f"The private key {path} is encrypted; give it without a password, for example from "
            "`openssl pkey -in KEY -out FILE`."
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key("private", path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key("private", path)
    return key


def read_public_key(path: str | Path) -> Ed25519PublicKey:
    """Reads a public key.

    Raises:
        InputError: There is no such key at `path`.
    """
    content = _read_key_file(path)
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key("public", path) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key("public", path)
    return key


def _read_key_file(path: str | Path) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(_LARGEST_KEY_FILE)
    except OSError as error:
        raise InputError(f"The key {path} cannot be read: {error.strerror}.") from error


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise InputError(f"The key {path} cannot be written: {error.strerror}.") from error
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise InputError(f"The key {path} cannot be written: {error.strerror}.") from error


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _no_key(kind: str, path: str | Path) -> InputError:
    return InputError(
        f"{path} is not a {kind} Ed25519 key in PEM form; `tfdpzoo sign --new-key FILE` makes FILE "
        "(private) and FILE.pub (public)."
    )


def _damaged() -> InputError:
    return InputError(f"{SIGNATURE_FILE} is damaged: it is not in the form that tfdpzoo writes.")
