"""TensorFlow Serving's REST API."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tfdpzoo.errors import InputError
from tfdpzoo.foreign_text import quoted
from tfdpzoo.serving.address import DEFAULT_TIMEOUT
from tfdpzoo.serving.client import require_probabilities
from tfdpzoo.serving.http_exchange import Answer, HttpServer
from tfdpzoo.serving.served_model import (
    GUARANTEE,
    GUARANTEE_BY_REST,
    SERVING,
    ServedModel,
    ServedSignatures,
)

_OK = 200
_NOT_FOUND = 404


class RestClient:
    """Asks a model of a server over REST.

    Args:
        url: The server's address, `http://HOST:8501`.
        model: Which of its models.
        timeout: How many seconds each answer may take.

    Raises:
        InputError: The address or the timeout cannot be used.
    """

    def __init__(self, url: str, model: ServedModel, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._server = HttpServer(url, timeout)
        self._model = model

    @property
    def place(self) -> str:
        """The model and its server, as they are called in a sentence."""
        return f"The model {self._model} at {self._server.url}"

    def signatures(self) -> ServedSignatures:
        """Asks as `Client.signatures` says."""
        content = self._require(self._server.get(f"{self._path()}/metadata"))
        try:
            signatures = content["metadata"]["signature_def"]["signature_def"]
            version = content["model_spec"].get("version")
        except (AttributeError, KeyError, TypeError) as error:
            raise self._nonsense("with the model's metadata") from error
        return ServedSignatures.parse(version, signatures)

    def probabilities(self, images: npt.NDArray[np.uint8], classes: int) -> npt.NDArray[np.float64]:
        """Asks as `Client.probabilities` says."""
        rows = self._predict(SERVING, images.tolist())
        try:
            values = np.array([row["probabilities"] for row in rows], np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise self._nonsense("with probabilities") from error
        return require_probabilities(values, len(images), classes, self.place)

    def guarantee(self) -> str:
        """Asks as `Client.guarantee` says."""
        names = self.signatures().names
        if GUARANTEE_BY_REST not in names:
            if GUARANTEE in names:
                raise InputError(
                    f"{self.place} was exported by an earlier tfdpzoo, whose guarantee cannot be "
                    "asked for by REST; ask by gRPC, or export it again."
                )
            raise InputError(
                f"{self.place} was not exported by tfdpzoo: it has no signature {GUARANTEE}."
            )
        answered = self._predict(GUARANTEE_BY_REST, [""])
        if len(answered) != 1 or not isinstance(answered[0], str):
            raise self._nonsense("with a privacy record")
        return answered[0]

    def _predict(self, signature: str, instances: list[Any]) -> list[Any]:
        body = {"signature_name": signature, "instances": instances}
        content = self._require(self._server.post(f"{self._path()}:predict", body))
        rows = content.get("predictions") if isinstance(content, dict) else None
        if not isinstance(rows, list):
            raise self._nonsense("with predictions")
        return rows

    def _path(self) -> str:
        path = f"/v1/models/{self._model.name}"
        if self._model.version is not None:
            return f"{path}/versions/{self._model.version}"
        return path if self._model.label is None else f"{path}/labels/{self._model.label}"

    def _require(self, answer: Answer) -> Any:
        if answer.status == _OK:
            return answer.content
        refusal = f"it answered with status {answer.status}: {answer.error}"
        versions = self._versions()
        if versions is None and answer.status == _NOT_FOUND:
            raise InputError(
                f"The server at {self._server.url} does not serve a model named "
                f"{self._model.name!r}; {refusal}. A model's name is the one in the server's "
                "models.config, or what --model_name or MODEL_NAME said when it was started."
            )
        loaded = f" It has {versions}." if versions else ""
        raise InputError(f"{self.place} cannot be used; {refusal}.{loaded}")

    def _versions(self) -> str | None:
        """The versions that the server has and their states, in words; None if it has none."""
        try:
            answer = self._server.get(f"/v1/models/{self._model.name}")
            rows = answer.content["model_version_status"]
            states = [f"version {int(row['version'])} ({quoted(row['state'])})" for row in rows]
        except (AttributeError, KeyError, TypeError, ValueError):
            # No such model, or no answer: an InputError is a ValueError.
            return None
        return ", ".join(states) or None

    def _nonsense(self, expected: str) -> InputError:
        return InputError(
            f"{self.place} does not answer {expected} as TensorFlow Serving does; is it another "
            "server, or a model that tfdpzoo did not export?"
        )


def ask_guarantee(
    url: str, model: str, version: int | None = None, timeout: float = DEFAULT_TIMEOUT
) -> str:
    r"""Asks a served model for its own privacy record.

    Args:
        url: The server's address, `http://HOST:8501`.
        model: The model's name at the server.
        version: Its version; by default the newest that is loaded.
        timeout: How many seconds each of two answers may take.

    Returns:
        The record's JSON, as the model gives it. It is not checked yet; see
        `tfdpzoo.verification.served.verify_answer`.

    Raises:
        InputError: The server does not answer in time, does not serve the model, or the model has
            no record.

    Example:
        >>> ask_guarantee("http://localhost:8501", "smoothnet")[:15]  # doctest: +SKIP
        '{\n  "sentence":'
    """
    return RestClient(url, ServedModel(model, version), timeout).guarantee()
