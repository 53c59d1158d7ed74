"""TensorFlow Serving's REST API."""

from __future__ import annotations

import requests

from tfdpzoo.errors import InputError


def ask_guarantee(url: str, model: str, version: int | None, timeout: float) -> str:
    """Asks a served model for its privacy record.

    Args:
        url: The server's address, such as `http://localhost:8501`.
        model: The model's name on the server.
        version: Which of its versions; None for the one that the server prefers.
        timeout: How many seconds to wait for the server.

    Returns:
        The record as JSON, as the server gave it.

    Raises:
        InputError: The server cannot be reached, is too slow, has no such model, or the model has
            no record.
    """
    if not timeout > 0:
        raise InputError(f"A timeout of {timeout:g} seconds cannot be used; give more than 0.")
    path = f"{url.rstrip('/')}/v1/models/{model}"
    path += "" if version is None else f"/versions/{version}"
    request = {"signature_name": "privacy_guarantee", "inputs": {}}
    try:
        answer = requests.post(
            f"{path}:predict", json=request, timeout=timeout, allow_redirects=False
        )
    except requests.Timeout as error:
        raise InputError(f"{url} did not answer within {timeout:g} seconds.") from error
    except requests.RequestException as error:
        raise InputError(f"{url} cannot be reached; is the server running there?") from error
    try:
        fields = answer.json()
    except ValueError as error:
        raise InputError(f"{url} does not answer as TensorFlow Serving does.") from error
    outputs = fields.get("outputs") if isinstance(fields, dict) else None
    if not isinstance(outputs, str):
        raise InputError(
            f"The model {model} at {url} does not answer with a privacy record: either the server "
            "has no such model, or tfdpzoo did not write it."
        )
    return outputs
