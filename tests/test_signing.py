"""Signing a model: only an intact one, and never over somebody else's signature."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from stand_in import StandIn

from tfdpzoo import signing
from tfdpzoo.errors import InputError
from tfdpzoo.saved_model import export
from tfdpzoo.signature import PrivacySignature, fingerprint
from tfdpzoo.signing import sign
from tfdpzoo.verification import verify
from tfdpzoo.version_folder import SIGNATURE_FILE, write_privacy_file

MINE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
THEIRS = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(StandIn(), tmp_path_factory.mktemp("models") / "1", class_names="abcd")


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "1"))


def test_a_signed_model_verifies_and_names_its_signer(copy: Path) -> None:
    assert verify(copy).signer is None
    signature = sign(copy, MINE)
    assert PrivacySignature.read(copy) == signature
    for key in (None, MINE.public_key()):
        report = verify(copy, key=key)
        assert report.ok, report.problems
        assert report.signer == fingerprint(MINE.public_key()) == signature.fingerprint


def test_a_zip_carries_the_signature(copy: Path, tmp_path: Path) -> None:
    sign(copy, MINE)
    path = shutil.make_archive(str(tmp_path / "zipped"), "zip", copy)
    assert verify(path, key=MINE.public_key()).ok
    assert not verify(path, key=THEIRS.public_key()).ok


def test_a_key_that_did_not_sign_is_not_content(copy: Path) -> None:
    assert verify(copy, key=MINE.public_key()).problems == (
        "It is not signed, but a signature was asked for.",
    )
    sign(copy, THEIRS)
    (problem,) = verify(copy, key=MINE.public_key()).problems
    assert problem == (
        f"It is signed by the key with the fingerprint {fingerprint(THEIRS.public_key())}, and not "
        f"by the one that was given, {fingerprint(MINE.public_key())}."
    )


def test_a_signature_of_another_record_is_found(copy: Path) -> None:
    """Whoever restates the record with digests that fit cannot sign it for somebody else."""
    sign(copy, MINE)
    write_privacy_file(copy, verify(copy).guarantee.with_metrics({"accuracy": 0.99}))
    assert verify(copy).problems == (
        f"The signature in {SIGNATURE_FILE} is not one of this assets.extra/privacy.json.",
    )


def test_signing_twice_changes_nothing(copy: Path) -> None:
    sign(copy, MINE)
    before = (copy / SIGNATURE_FILE).read_bytes()
    sign(copy, MINE)
    assert (copy / SIGNATURE_FILE).read_bytes() == before


def test_the_signature_of_another_key_stays(copy: Path) -> None:
    sign(copy, THEIRS)
    before = (copy / SIGNATURE_FILE).read_bytes()
    with pytest.raises(InputError) as caught:
        sign(copy, MINE)
    assert str(caught.value) == (
        f"{copy} is signed already, by the key with the fingerprint "
        f"{fingerprint(THEIRS.public_key())}; remove {copy / SIGNATURE_FILE} if your signature is "
        "to take its place."
    )
    assert (copy / SIGNATURE_FILE).read_bytes() == before
    (copy / SIGNATURE_FILE).unlink()
    assert sign(copy, MINE).fits((copy / "assets.extra/privacy.json").read_bytes())


def test_an_altered_model_is_never_signed(copy: Path) -> None:
    (copy / "saved_model.pb").write_bytes(b"something else")
    with pytest.raises(InputError, match="was not signed. The file saved_model.pb was altered"):
        sign(copy, MINE)
    assert not (copy / SIGNATURE_FILE).exists()


def test_a_damaged_signature_is_not_replaced_silently(copy: Path) -> None:
    (copy / SIGNATURE_FILE).write_text("{}")
    with pytest.raises(InputError, match=f"was not signed. {SIGNATURE_FILE} is damaged"):
        sign(copy, MINE)


def test_a_record_that_changes_meanwhile_is_not_signed(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify_and_lose_the_race(folder: Path) -> object:
        report = verify(folder)
        write_privacy_file(folder, report.guarantee.with_metrics({"accuracy": 0.99}))
        return report

    monkeypatch.setattr(signing, "verify_folder", verify_and_lose_the_race)
    with pytest.raises(InputError, match="was altered while it was verified and was not signed"):
        sign(copy, MINE)
    assert not (copy / SIGNATURE_FILE).exists()


def test_what_a_crash_left_is_cleared_away(copy: Path) -> None:
    (copy / f"{SIGNATURE_FILE}.new").write_text("half")
    assert not verify(copy).ok
    sign(copy, MINE)
    assert verify(copy).ok
