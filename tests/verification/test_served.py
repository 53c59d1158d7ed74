"""Served models: what their answers prove, and what they do not."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from served_stand_in import serving
from stand_in import StandIn

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.signature import new_key, read_public_key
from tfdpzoo.verification import verify
from tfdpzoo.verification.served import ServedAddress, verify_answer


@pytest.fixture(scope="module")
def guarantee() -> PrivacyGuarantee:
    return StandIn().guarantee().with_weights("ab" * 32)


@pytest.fixture(scope="module")
def server(guarantee: PrivacyGuarantee) -> Iterator[str]:
    honest = guarantee.to_json()
    low = dataclasses.replace(guarantee, claim=dataclasses.replace(guarantee.claim, epsilon=0.5))
    setting = dataclasses.replace(guarantee.setting, released_output="\x1b[31mthe weights")
    coloured = dataclasses.replace(guarantee, setting=setting)
    answers = {
        "/v1/models/digits": honest,
        "/v1/models/digits/versions/3": honest,
        "/v1/models/low": low.to_json(),
        "/v1/models/sentence": honest.replace("epsilon = 2.39", "epsilon = 0.39"),
        "/v1/models/edited": honest.replace('"executed": 20', '"executed":  20'),
        "/v1/models/more": honest.replace("{", '{"surprise": 1,', 1),
        "/v1/models/nonsense": "nonsense",
        "/v1/models/escape": honest.replace("{", '{"\\u001b[31m": 1,', 1),
        "/v1/models/coloured": coloured.to_json(),
        "/v1/models/foreign": [[0.1, 0.9]],
    }
    with serving(answers) as url:
        yield url


@pytest.mark.parametrize("path", ["digits", "digits/versions/3", "digits/"])
def test_an_honest_answer_verifies_but_the_weights_were_not_seen(
    server: str, guarantee: PrivacyGuarantee, path: str
) -> None:
    report = verify(f"{server}/v1/models/{path}")
    assert report.ok
    assert report.guarantee == guarantee
    assert report.recomputed_epsilon == pytest.approx(guarantee.epsilon, rel=1e-6)
    assert not report.files_checked
    assert report.path is None
    assert report.subject == f"{server}/v1/models/{path.rstrip('/')}"
    assert any("weights behind the server were not seen" in each for each in report.reservations)


def test_the_model_can_be_named_beside_the_address(server: str) -> None:
    assert verify(server, model="digits").ok
    assert verify(f"{server}/", model="digits").subject == f"{server}/v1/models/digits"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("low", "sentence|claim.epsilon = 0.5, but its own fields give 2.38"),
        ("sentence", "The record's sentence is not that of its fields: The final weights"),
        ("edited", "The served record was edited: it is not in the form that tfdpzoo writes."),
        ("more", "has the field surprise, which tfdpzoo does not know"),
        ("escape", "has the field \N{REPLACEMENT CHARACTER}[31m, which tfdpzoo does not know"),
        ("coloured", "The record holds characters that cannot be seen, which tfdpzoo does not"),
        ("nonsense", "The privacy record is not valid JSON"),
    ],
)
def test_an_answer_that_was_altered_is_found(server: str, name: str, problem: str) -> None:
    report = verify(server, model=name)
    assert not report.ok
    assert any(part in report.problems[0] for part in problem.split("|")), report.problems


@pytest.mark.parametrize("name", ["foreign", "none"])
def test_a_model_without_a_record_is_refused(server: str, name: str) -> None:
    with pytest.raises(InputError, match=name):
        verify(server, model=name)


def test_a_server_that_is_down_is_refused() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=f"127.0.0.1:{port}"):
        verify(f"http://127.0.0.1:{port}", model="digits", timeout=5)


def test_a_server_that_says_nothing_is_refused_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(InputError, match="seconds"):
            verify(
                f"http://127.0.0.1:{silent.getsockname()[1]}/v1/models/digits",
                timeout=0.3,
            )


def test_a_served_model_shows_no_signature(server: str, tmp_path: Path) -> None:
    new_key(tmp_path / "k.pem")
    report = verify(server, model="digits", key=read_public_key(tmp_path / "k.pem.pub"))
    assert report.problems == (
        "A served model does not show its signature; verify its folder with the key instead.",
    )


def test_a_proxys_path_and_a_version_are_kept() -> None:
    served = ServedAddress.parse("https://example.org/zoo/v1/models/digits/versions/12")
    assert served == ServedAddress("https://example.org/zoo", "digits", 12)
    assert ServedAddress.parse("http://[::1]:8501", "digits").url == "http://[::1]:8501"


@pytest.mark.parametrize(
    ("address", "model", "reason"),
    [
        ("http://localhost:8501", None, "names no model; give http://HOST:PORT/v1/models/NAME"),
        ("http://", "digits", "is not the address of a server"),
        ("http://localhost:port", "digits", "is not the address of a server"),
        ("http://localhost:0", "digits", "is not the address of a server"),
        ("http://[::1", "digits", "is not the address of a server"),
        ("http://localhost/v1/models/", None, "is not the address of a served model"),
        ("http://localhost/v1/models/a/labels/b", None, "is not the address of a served model"),
        ("http://localhost/v1/models/a/versions/0", None, "is not the address of a served model"),
        ("http://localhost/v1/models/a:predict", None, "is not the address of a served model"),
        ("http://localhost/v1/models/a", "b", "is the address of a, not of --model b"),
        ("http://localhost/v1/models/a%2e", None, "name 'a%2e' cannot be used"),
        ("http://localhost", "../a", "name '../a' cannot be used"),
        ("http://me:secret@localhost", "digits", "has neither a user, nor a query, nor"),
        ("http://localhost?a=b", "digits", "has neither a user, nor a query, nor"),
    ],
)
def test_addresses_that_cannot_be_are_refused(address: str, model: str | None, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        verify(address, model=model)
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_folder_has_no_name_on_a_server(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--model digits is for the address of a server"):
        verify(tmp_path, model="digits")


def test_an_answer_that_came_another_way_is_checked_alike(guarantee: PrivacyGuarantee) -> None:
    report = verify_answer("the gRPC server", guarantee.to_json())
    assert (report.ok, report.subject, report.files_checked) == (True, "the gRPC server", False)
    assert not verify_answer("it", guarantee.to_json().replace("2.38", "0.38")).ok
