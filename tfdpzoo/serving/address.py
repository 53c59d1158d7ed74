"""Where a server is."""

from __future__ import annotations

import ipaddress
import math
import re
from urllib.parse import urlsplit

from tfdpzoo.errors import InputError

DEFAULT_TIMEOUT = 30.0
_LONGEST_TIMEOUT = 86_400.0
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")


def require_url(text: str) -> str:
    """Returns a REST server's address without a slash at its end.

    Args:
        text: `http://HOST:8501`, perhaps with the path at which a proxy puts the server.

    Raises:
        InputError: It is no such address.

    Example:
        >>> require_url("http://localhost:8501/")
        'http://localhost:8501'
    """
    try:
        parts = urlsplit(text)
        usable = (
            parts.scheme in ("http", "https")
            and _HOST.fullmatch(parts.netloc.rpartition(":")[0] or parts.netloc)
            and parts.port != 0
            and not (parts.query or parts.fragment)
            and not re.search(r"[\s\x00-\x1f\x7f]", text)
        )
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            f"{text!r} is not the address of a server; give http://HOST:8501, without a user, a "
            "password or a query."
        )
    return text.rstrip("/")


def require_grpc_address(text: str) -> str:
    """Returns a gRPC server's address.

    Args:
        text: `HOST:8500`.

    Raises:
        InputError: It is no such address.

    Example:
        >>> require_grpc_address("localhost:8500")
        'localhost:8500'
    """
    host, _, port = text.rpartition(":")
    if not (_HOST.fullmatch(host) and re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise InputError(
            f"{text!r} is not the address of a gRPC server; give HOST:8500, without http://."
        )
    return text


def require_timeout(seconds: float) -> float:
    """Returns how long to wait for an answer.

    Raises:
        InputError: It is not a number above 0 and up to a day.
    """
    if not (0 < seconds <= _LONGEST_TIMEOUT) or math.isnan(seconds):
        raise InputError(
            f"A timeout of {seconds:g} seconds cannot be used; give more than 0 and at most "
            f"{_LONGEST_TIMEOUT:,.0f}."
        )
    return seconds


def is_loopback(host: str) -> bool:
    """Says whether a host is this machine, which no proxy leads to.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("example.org")
        (True, False)
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
