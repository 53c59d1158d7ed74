"""Addresses of servers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfdpzoo.errors import InputError
from tfdpzoo.serving.address import (
    is_loopback,
    require_grpc_address,
    require_timeout,
    require_url,
)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8501",
        "https://zoo.example.org",
        "http://10.0.0.1:8501/tf/serving",
        "http://[::1]:8501",
        "http://tf_serving:8501",
    ],
)
def test_addresses(url):
    assert require_url(url) == require_url(url + "/") == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8501",
        "localhost",
        "ftp://localhost",
        "file:///etc/passwd",
        "http://",
        "http://:8501",
        "http://a:b@localhost:8501",
        "http://localhost:99999",
        "http://localhost:port",
        "http://localhost:0",
        "http://localhost:8501?a=b",
        "http://localhost:8501#a",
        "http://local host:8501",
        "http://localhost:8501/\n",
        "http://[::1:8501",
    ],
)
def test_what_is_no_address(url):
    with pytest.raises(InputError, match="is not the address of a server; give http://HOST:8501"):
        require_url(url)


@given(st.text())
def test_any_text_is_an_address_or_refused(text):
    for require in (require_url, require_grpc_address):
        try:
            assert require(text) in (text, text.rstrip("/"))
        except InputError:
            continue


@pytest.mark.parametrize("address", ["localhost:8500", "127.0.0.1:1", "[::1]:65535"])
def test_grpc_addresses(address):
    assert require_grpc_address(address) == address


@pytest.mark.parametrize(
    "address",
    ["", "localhost", "http://localhost:8500", "localhost:", ":8500", "a:0", "a:65536", "a:b"],
)
def test_what_is_no_grpc_address(address):
    with pytest.raises(InputError, match="give HOST:8500, without http://"):
        require_grpc_address(address)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.inf, math.nan, 1e9])
def test_what_is_no_timeout(seconds):
    with pytest.raises(InputError, match="give more than 0 and at most 86,400"):
        require_timeout(seconds)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("[::1]", True), ("localhost", True), ("10.0.0.1", False), ("a", False)],
)
def test_loopback(host, loopback):
    assert is_loopback(host) == loopback
