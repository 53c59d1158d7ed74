"""Keys and signatures: what they bind, and what is refused."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tfdpzoo.errors import InputError
from tfdpzoo.signature import (
    PrivacySignature,
    fingerprint,
    new_key,
    public_key_path,
    read_private_key,
    read_public_key,
)
from tfdpzoo.version_folder import PRIVACY_FILE, SIGNATURE_FILE

CONTENT = b'{"epsilon": 1}\n'


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / PRIVACY_FILE
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return tmp_path


def test_a_key_pair_is_made_and_read(tmp_path: Path) -> None:
    path = tmp_path / "trainer.pem"
    made = new_key(path)
    private, public = read_private_key(path), read_public_key(public_key_path(path))
    assert fingerprint(private.public_key()) == fingerprint(public) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_key_path(path) == tmp_path / "trainer.pem.pub"
    assert b"PRIVATE" not in public_key_path(path).read_bytes()


def test_two_keys_differ(tmp_path: Path) -> None:
    assert new_key(tmp_path / "a") != new_key(tmp_path / "b")


@pytest.mark.parametrize("name", ["trainer.pem", "trainer.pem.pub"])
def test_keys_are_never_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"{name} exists already, and keys are never overwritten"):
        new_key(tmp_path / "trainer.pem")
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_key_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        new_key(tmp_path / "none" / "trainer.pem")
    long = "k" * 253  # With .pub it is longer than a name may be.
    with pytest.raises(InputError, match="cannot be written: File name too long"):
        new_key(tmp_path / long)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")
def test_the_fingerprint_is_what_openssl_and_sha256sum_say(tmp_path: Path) -> None:
    made = new_key(tmp_path / "trainer.pem")
    command = "openssl pkey -pubin -in trainer.pem.pub -outform DER | sha256sum"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split()[0] == made


def test_a_signature_fits_these_bytes_alone(key: Ed25519PrivateKey) -> None:
    signature = PrivacySignature.made_of(CONTENT, key)
    assert signature.fits(CONTENT)
    assert not signature.fits(CONTENT + b" ")
    assert not signature.fits(b"")
    assert signature.fingerprint == fingerprint(key.public_key())


def test_a_signature_of_the_bytes_for_another_use_does_not_fit(key: Ed25519PrivateKey) -> None:
    """What is signed begins with a text of our own."""
    plain = key.sign(CONTENT).hex()
    signature = PrivacySignature.made_of(CONTENT, key)
    assert not PrivacySignature(
        signature.format, signature.algorithm, signature.public_key, plain
    ).fits(CONTENT)


def test_it_is_read_as_it_was_written(folder: Path, key: Ed25519PrivateKey) -> None:
    assert PrivacySignature.read(folder) is None
    signature = PrivacySignature.made_of(CONTENT, key)
    (folder / PRIVACY_FILE).chmod(0o644)
    signature.write(folder)
    assert PrivacySignature.read(folder) == signature
    assert stat.S_IMODE((folder / SIGNATURE_FILE).stat().st_mode) == 0o644
    assert json.loads((folder / SIGNATURE_FILE).read_text())["algorithm"] == "Ed25519"
    assert len(list(folder.rglob("*"))) == 3  # Nothing is left over.


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Ed25519", "Ed448"),
        ("tfdpzoo signature 1", "tfdpzoo signature 2"),
        ('"algorithm"', ' "algorithm"'),
        ('"public_key": "0', '"public_key": "'),
        ('"public_key": "03a1', '"public_key": "03A1'),
        ('"signature": "', '"signature": "00'),
        ('"signature"', '"more"'),
        ("{", "["),
    ],
)
def test_a_damaged_file_is_refused(
    folder: Path, key: Ed25519PrivateKey, old: str, new: str
) -> None:
    PrivacySignature.made_of(CONTENT, key).write(folder)
    path = folder / SIGNATURE_FILE
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=f"^{SIGNATURE_FILE} is damaged: it is not in the form"):
        PrivacySignature.read(folder)


def test_other_keys_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    new_key(tmp_path / "own")
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        read_public_key(path)
    for content in (b"", b"\xff" * 100, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="is not a private Ed25519 key in PEM form; `tfdpzoo"):
            read_private_key(path)
        with pytest.raises(InputError, match="is not a public Ed25519 key in PEM form; `tfdpzoo"):
            read_public_key(path)
    with pytest.raises(InputError, match="is not a private Ed25519 key"):
        read_private_key(tmp_path / "own.pub")
    with pytest.raises(InputError, match="is not a public Ed25519 key"):
        read_public_key(tmp_path / "own")


def test_a_key_of_another_algorithm_is_refused(tmp_path: Path) -> None:
    other = rsa.generate_private_key(65537, 2048)
    pem = serialization.Encoding.PEM
    (tmp_path / "rsa").write_bytes(
        other.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (tmp_path / "rsa.pub").write_bytes(
        other.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(InputError, match="is not a private Ed25519 key"):
        read_private_key(tmp_path / "rsa")
    with pytest.raises(InputError, match="is not a public Ed25519 key"):
        read_public_key(tmp_path / "rsa.pub")


def test_an_encrypted_key_is_refused(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = tmp_path / "key"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
    )
    with pytest.raises(InputError, match="is encrypted; give it without a password"):
        read_private_key(path)
