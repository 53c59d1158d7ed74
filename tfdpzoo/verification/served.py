"""Verification of a served model, which can only be asked for its record.

What a server answers is its word: the record's form, its sentence and its arithmetic are checked,
but neither the files nor the weights that compute its predictions are seen.
"""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tfdpzoo.errors import InputError
from tfdpzoo.privacy import strict_json
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.registry.reference import require_name
from tfdpzoo.verification.arithmetic import check_arithmetic
from tfdpzoo.verification.form import form_problems
from tfdpzoo.verification.report import VerificationReport

_PATH = re.compile(r"(.*?)/v1/models/([^/:]+)(?:/versions/([1-9][0-9]{0,17}))?")
_HOW = "give http://HOST:PORT/v1/models/NAME, or http://HOST:PORT and --model NAME"


@dataclass(frozen=True)
class ServedAddress:
    """Where a model is served by TensorFlow Serving's REST API.

    Attributes:
        url: The server's address.
        name: The model's name.
        version: The version that is asked for; None for the one that the server prefers.

    Example:
        >>> ServedAddress.parse("http://localhost:8501/v1/models/digits/versions/3").version
        3
        >>> str(ServedAddress.parse("http://localhost:8501", model="digits"))
        'http://localhost:8501/v1/models/digits'
    """

    url: str
    name: str
    version: int | None = None

    @classmethod
    def parse(cls, text: str, model: str | None = None) -> ServedAddress:
        """Reads the address of a served model.

        Args:
            text: `http://HOST:PORT/v1/models/NAME`, with `/versions/N` for one of its versions, or
                the server's address alone.
            model: The model's name, where the address does not say it.

        Raises:
            InputError: It is no such address.
        """
        try:
            parts = urllib.parse.urlsplit(text)
            port_fits = parts.port is None or parts.port > 0
        except ValueError as error:
            raise InputError(f"{text} is not the address of a server: {error}.") from error
        if parts.scheme not in ("http", "https") or not parts.hostname or not port_fits:
            raise InputError(f"{text} is not the address of a server; {_HOW}.")
        if parts.username is not None or parts.query or parts.fragment:
            raise InputError(
                "The address of a served model has neither a user, nor a query, nor a fragment; "
                f"{_HOW}."
            )
        server = f"{parts.scheme}://{parts.netloc}"
        path = parts.path.rstrip("/")
        matched = _PATH.fullmatch(path)
        if matched is None and "/v1/" in f"{path}/":
            raise InputError(f"{text} is not the address of a served model; {_HOW}.")
        if matched is None and model is None:
            raise InputError(f"{text} names no model; {_HOW}.")
        if matched is None:
            return cls(server + path, require_name("model", str(model)))
        if model not in (None, matched[2]):
            raise InputError(f"{text} is the address of {matched[2]}, not of --model {model}.")
        version = None if matched[3] is None else int(matched[3])
        return cls(server + matched[1], require_name("model", matched[2]), version)

    def __str__(self) -> str:
        version = "" if self.version is None else f"/versions/{self.version}"
        return f"{self.url}/v1/models/{self.name}{version}"


def verify_served(
    served: ServedAddress, *, timeout: float, key: Ed25519PublicKey | None = None
) -> VerificationReport:
    """Asks a served model for its record and checks that, as far as it can be.

    Args:
        served: Where the model is served.
        timeout: How many seconds to wait for the server.
        key: Whose signature is demanded; a server cannot show one, so that with a key no served
            model verifies.

    Returns:
        The report, whose `files_checked` is False.

    Raises:
        InputError: The server does not answer, or not with a record.
    """
    from tfdpzoo.serving.rest import ask_guarantee

    text = ask_guarantee(served.url, served.name, served.version, timeout)
    return verify_answer(str(served), text, key)


def verify_answer(
    subject: str, text: str, key: Ed25519PublicKey | None = None
) -> VerificationReport:
    """Checks what a served model answered, however it was asked.

    Args:
        subject: Who answered, for people.
        text: The record's JSON, from anywhere.
        key: Whose signature is demanded; an answer has none.

    Returns:
        The report, whose `files_checked` is False.

    Example:
        >>> verify_answer("the server", "{}").problems
        ('The privacy record lacks the field sentence, a text.',)
    """
    epsilon = None
    try:
        fields = strict_json.from_text(text)
        guarantee = PrivacyGuarantee.from_fields(fields)
    except InputError as error:
        return _report(subject, (str(error),), None, None)
    problems = list(
        form_problems("The served record", fields, guarantee, canonical=text == guarantee.to_json())
    )
    if key is not None:
        problems.append(
            "A served model does not show its signature; verify its folder with the key instead."
        )
    if not problems:
        epsilon, problems = check_arithmetic(guarantee)
    return _report(subject, tuple(problems), guarantee, epsilon)


def _report(
    subject: str,
    problems: tuple[str, ...],
    guarantee: PrivacyGuarantee | None,
    epsilon: float | None,
) -> VerificationReport:
    return VerificationReport(
        subject, None, not problems, problems, guarantee, epsilon, files_checked=False
    )
