"""`tfdpzoo verify` and `tfdpzoo sign`: what they say and how they end."""

from __future__ import annotations

import dataclasses
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from served_stand_in import serving
from stand_in import StandIn

from tfdpzoo.privacy.accesses import Tuning
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.saved_model import export
from tfdpzoo.verification import verify

RunProgram = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(StandIn(), tmp_path_factory.mktemp("models") / "1", class_names="abcd")


@pytest.fixture
def model(exported: Path, tmp_path: Path) -> Path:
    """A registered model, `small`, of the folder that the program runs in."""
    return Path(shutil.copytree(exported, tmp_path / "saved_models" / "small" / "1"))


def test_an_intact_model_is_told_with_what_weakens_its_claim(
    program: RunProgram, model: Path
) -> None:
    outcome = program("verify", "small:1")
    assert outcome.code == 0
    assert outcome.out.startswith("saved_models/small/1 is intact.\n")
    assert "What weakens this claim (--strict fails on it):\n- How the settings" in outcome.out


def test_strictly_a_weak_claim_is_a_failure_with_its_reasons(
    program: RunProgram, model: Path
) -> None:
    outcome = program("verify", "small", "--strict")
    assert outcome.code == 1
    assert "saved_models/small/1 is intact, but its claim is weak:\n- How the" in outcome.out
    found = json.loads(program("verify", "small", "--strict", "--json").out)
    assert (found["ok"], found["intact"], found["problems"]) == (False, True, [])
    assert found["reservations"] == list(verify(model).reservations)


def test_strictly_a_claim_without_reservations_passes(program: RunProgram, tmp_path: Path) -> None:
    honest = StandIn().guarantee()
    export(StandIn(), tmp_path / "good" / "1", guarantee=without_reservations(honest))
    outcome = program("verify", "good", "--strict")
    assert outcome.code == 0
    assert "declares, without proof, that nothing was tuned" in outcome.out
    assert "weakens" not in outcome.out


def without_reservations(guarantee: PrivacyGuarantee) -> PrivacyGuarantee:
    return dataclasses.replace(
        guarantee,
        tuning=Tuning.declared("none"),
        provenance=dataclasses.replace(guarantee.provenance, commit="ab" * 20),
    )


def test_a_record_with_too_low_an_epsilon_is_found(program: RunProgram, tmp_path: Path) -> None:
    """Sentence, graph, digests and record agree, but not with the record's own updates."""
    honest = StandIn().guarantee()
    low = dataclasses.replace(honest, claim=dataclasses.replace(honest.claim, epsilon=1.0))
    export(StandIn(), tmp_path / "low" / "1", guarantee=low)
    outcome = program("verify", "low")
    assert outcome.code == 1
    assert outcome.out == (
        "low/1 is NOT intact:\n- The record states claim.epsilon = 1.0, but its own fields give "
        f"{honest.epsilon!r}.\n"
    )


def test_a_foreign_model_is_told_from_ours(program: RunProgram, tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path / "foreign"))
    outcome = program("verify", "foreign")
    assert outcome.code == 1
    assert outcome.out == (
        "foreign is NOT intact:\n- There is no assets.extra/privacy.json: this SavedModel was not "
        "written by tfdpzoo, or its privacy record was taken away, so that nothing is claimed for "
        "it.\n"
    )


def test_a_part_of_a_model_is_found(program: RunProgram, model: Path) -> None:
    (model / "variables" / "variables.data-00000-of-00001").unlink()
    outcome = program("verify", "small")
    assert outcome.code == 1
    assert outcome.out == (
        "saved_models/small/1 is NOT intact:\n"
        "- The file variables/variables.data-00000-of-00001 is missing.\n"
    )


def test_a_zip_that_leads_out_of_itself_is_refused(refused: Refused, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../evil", "evil")
    assert refused("verify", "evil.zip") == (
        "evil.zip is refused: its entry '../evil' leads out of the archive with '..'."
    )


def test_json_says_what_was_seen(program: RunProgram, model: Path) -> None:
    outcome = program("verify", "saved_models/small", "--json")
    found = json.loads(outcome.out)
    assert outcome.code == 0
    assert (found["ok"], found["files_checked"], found["signed_by"]) == (True, True, None)
    assert found["target"] == found["path"] == "saved_models/small/1"


def test_an_altered_model_is_not_quoted(program: RunProgram, model: Path) -> None:
    (model / "saved_model.pb").write_bytes(b"something else")
    outcome = program("verify", "small", "--strict")
    assert outcome.code == 1
    assert outcome.out.startswith("saved_models/small/1 is NOT intact:\n- The file saved_model.pb")
    found = json.loads(program("verify", "small", "--json").out)
    assert found["sentence"] is found["epsilon"] is found["signed_by"] is None
    assert found["reservations"] == []


def test_a_zip_is_verified(program: RunProgram, model: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "small"), "zip", model)
    outcome = program("verify", "small.zip")
    assert outcome.code == 0
    assert outcome.out.startswith("small.zip is intact.\n")


def test_a_served_model_is_verified_as_far_as_it_can_be(program: RunProgram, model: Path) -> None:
    answer = verify(model).guarantee.to_json()
    with serving({"/v1/models/small": answer}) as url:
        outcome = program("verify", f"{url}/v1/models/small")
        strict = program("verify", url, "--model", "small", "--strict", "--json")
    assert outcome.code == 0
    assert f"{url}/v1/models/small answers with an intact record.\n" in outcome.out
    assert "- The weights behind the server were not seen" in outcome.out
    assert strict.code == 1
    assert json.loads(strict.out)["files_checked"] is False
    assert json.loads(strict.out)["path"] is None


def test_a_model_is_signed_and_its_signature_demanded(program: RunProgram, model: Path) -> None:
    made = program("sign", "--new-key", "trainer.pem")
    assert made.code == 0
    fingerprint = made.out.rstrip(".\n").rpartition(" ")[2]
    assert program("verify", "small", "--key", "trainer.pem.pub").code == 1

    signed = program("sign", "small", "--key", "trainer.pem")

    assert signed.code == 0
    assert f"The fingerprint of the key is {fingerprint}." in signed.out
    assert program("verify", "small", "--key", "trainer.pem.pub").code == 0
    said = " ".join(program("verify", "small").out.split())
    assert f"the key with the fingerprint {fingerprint}, which you have to know" in said
    found = json.loads(program("verify", "small", "--json").out)
    assert found["signed_by"] == fingerprint


def test_another_key_is_not_enough(program: RunProgram, model: Path) -> None:
    program("sign", "--new-key", "trainer.pem")
    program("sign", "--new-key", "other.pem")
    program("sign", "small", "--key", "trainer.pem")
    outcome = program("verify", "small", "--key", "other.pem.pub")
    assert outcome.code == 1
    assert "It is signed by the key with the fingerprint" in outcome.out
    again = program("sign", "small", "--key", "other.pem")
    assert again.code == 2
    assert "is signed already, by the key with the fingerprint" in again.err


def test_an_altered_model_is_not_signed(program: RunProgram, model: Path) -> None:
    program("sign", "--new-key", "trainer.pem")
    (model / "saved_model.pb").write_bytes(b"something else")
    outcome = program("sign", "small", "--key", "trainer.pem")
    assert outcome.code == 2
    assert "is not intact and was not signed" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("verify", "nowhere"), "There are no models in saved_models, so none named 'nowhere'"),
        (("verify", "no/where"), "There is no folder no/where"),
        (("verify", "nowhere.zip"), "nowhere.zip cannot be unpacked: No such file"),
        (("verify", "http://localhost:1"), "names no model; give http://HOST:PORT/v1/models/NAME"),
        (("verify", "http://127.0.0.1:1", "--model", "a"), "http://127.0.0.1:1"),
        (("verify", "a", "--model", "b"), "--model b is for the address of a server"),
        (("verify", "a", "--key", "none.pem"), "The key none.pem cannot be read: No such file"),
        (("verify", "http://a/v1/models/a", "--timeout", "0"), "A timeout of 0 seconds cannot be"),
        (("sign",), "Give the model to sign and --key PRIVATE.pem"),
        (("sign", "a"), "Give the model to sign and --key PRIVATE.pem"),
        (("sign", "a", "--new-key", "b"), "--new-key only makes a key"),
        (("sign", "a", "--key", "none.pem"), "The key none.pem cannot be read"),
        (("sign", "--new-key", "no/where"), "The key no/where cannot be written: No such file"),
    ],
)
def test_what_cannot_be_used_is_refused(
    refused: Refused, arguments: tuple[str, ...], reason: str
) -> None:
    assert reason in refused(*arguments)


def test_a_file_that_is_no_model_is_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    assert "notes.txt is not a zip archive that can be read" in refused("verify", "notes.txt")
    assert "is not a public Ed25519 key" in refused("verify", "a", "--key", "notes.txt")
    assert "is not a private Ed25519 key" in refused("sign", "a", "--key", "notes.txt")


def test_a_zip_is_not_signed(program: RunProgram, model: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "small"), "zip", model)
    program("sign", "--new-key", "trainer.pem")
    outcome = program("sign", "small.zip", "--key", "trainer.pem")
    assert outcome.code == 2
    assert "small.zip is a file; sign the folder of a version" in outcome.err
