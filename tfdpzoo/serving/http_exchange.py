"""JSON over HTTP with a server that may be down, slow or something else altogether."""

from __future__ import annotations

import errno
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from tfdpzoo.errors import InputError
from tfdpzoo.foreign_text import quoted
from tfdpzoo.serving.address import is_loopback, require_timeout, require_url

_LARGEST_ANSWER = 256 << 20
_READ_BYTES = 1 << 16
_PAUSES = (0.2, 0.6)
"""Between the tries, in seconds. Every request here only reads, so that it may be sent again."""

_NOT_READY = (502, 503)
_START = 80
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Attributes:
        status: Of HTTP.
        content: The JSON.
    """

    status: int
    content: Any

    @property
    def error(self) -> str:
        """What the server says that went wrong, fit to be quoted."""
        error = self.content.get("error") if isinstance(self.content, dict) else None
        return quoted(error if isinstance(error, str) else json.dumps(self.content))


class HttpServer:
    """A server that answers with JSON.

    Args:
        url: Its address.
        timeout: How many seconds an answer may take, with all that belongs to it: connecting,
            trying again, reading the last byte.

    Raises:
        InputError: The address or the timeout cannot be used.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self.url = require_url(url)
        self._timeout = require_timeout(timeout)
        self._session = requests.Session()
        self._session.trust_env = not is_loopback(urlsplit(self.url).hostname or "")

    def get(self, path: str) -> Answer:
        """Asks for what lies at a path below the address.

        Raises:
            InputError: The server gives no JSON in time.
        """
        return self._exchange("GET", path, None)

    def post(self, path: str, body: Any) -> Answer:
        """Sends JSON to a path below the address; it is sent again if the server is not ready.

        Raises:
            InputError: The server gives no JSON in time.
        """
        return self._exchange("POST", path, json.dumps(body).encode())

    def _exchange(self, method: str, path: str, body: bytes | None) -> Answer:
        try:
            status, content = _within(self._timeout, lambda: self._with_retries(method, path, body))
        except (requests.Timeout, FutureTimeoutError) as error:
            raise InputError(
                f"The server at {self.url} did not answer within {self._timeout:g} seconds; it is "
                "down or overloaded, or needs a longer timeout."
            ) from error
        except requests.ConnectionError as error:
            raise InputError(self._no_connection(error)) from error
        except requests.RequestException as error:
            raise InputError(
                f"The server at {self.url} does not answer as a web server does: "
                f"{quoted(str(error))}."
            ) from error
        try:
            return Answer(status, json.loads(content))
        except (ValueError, RecursionError) as error:
            start = quoted(content[:_START].decode(errors="replace"))
            raise InputError(
                f"The server at {self.url} is not TensorFlow Serving: it answered {path} with "
                f"status {status} and {start!r}, which is not JSON."
            ) from error

    def _with_retries(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        deadline = time.monotonic() + self._timeout
        for pause in _PAUSES:
            try:
                status, content = self._once(method, path, body)
            except requests.ConnectTimeout:
                raise
            except requests.ConnectionError:
                if time.monotonic() + pause >= deadline:
                    raise
            else:
                if status not in _NOT_READY:
                    return status, content
            time.sleep(pause)
        return self._once(method, path, body)

    def _once(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        with self._session.request(
            method,
            self.url + path,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=self._timeout,
            allow_redirects=False,
            stream=True,
        ) as response:
            content = bytearray()
            for block in response.iter_content(_READ_BYTES):
                content += block
                if len(content) > _LARGEST_ANSWER:
                    raise requests.RequestException("the answer does not end")
            return response.status_code, bytes(content)

    def _no_connection(self, error: requests.ConnectionError) -> str:
        if isinstance(error, requests.exceptions.SSLError):
            return f"The server at {self.url} cannot be trusted: {quoted(str(error))}."
        if "Connection aborted" in str(error):
            return (
                f"The server at {self.url} broke the connection off instead of answering; REST "
                "usually has the port 8501, and 8500 is that of gRPC."
            )
        return (
            f"There is no server at {self.url} ({_reason(error)}); `tfdpzoo serve-config` prints "
            "the command that starts one."
        )


def _reason(error: BaseException | None) -> str:
    """The cause at the bottom of the errors that HTTP libraries put around it."""
    reason = "no connection"
    while error is not None:
        if isinstance(error, OSError) and error.errno in errno.errorcode and error.strerror:
            reason = error.strerror
        elif "Name or service" in str(error) or "name resolution" in str(error):
            reason = "its name is not known"
        error = error.__cause__ or error.__context__
    return reason


def _within(seconds: float, work: Callable[[], _Result]) -> _Result:
    """Calls a function; what takes longer goes on without anybody who waits.

    A library's timeout is one of each read: a server that sends a byte now and then would hold it
    up for ever.
    """
    result: Future[_Result] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except Exception as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result.result(seconds)
