"""What the REST client says of servers that are down, slow, or something else."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from serving_servers import rest_server

from tfdpzoo.errors import InputError
from tfdpzoo.serving import http_exchange
from tfdpzoo.serving.rest import RestClient, ask_guarantee
from tfdpzoo.serving.served_model import ServedModel

IMAGES = np.zeros((2, 8, 8, 3), np.uint8)
GOOD = {"predictions": [{"probabilities": [0.25] * 4}] * 2}


def metadata(*names: str) -> dict:
    return {
        "model_spec": {"version": "1"},
        "metadata": {"signature_def": {"signature_def": {name: {} for name in names}}},
    }


def client(url: str, timeout: float = 10.0) -> RestClient:
    return RestClient(url, ServedModel("digits"), timeout)


def refusal(url: str, timeout: float = 10.0) -> str:
    with pytest.raises(InputError) as caught:
        client(url, timeout).probabilities(IMAGES, 4)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


@pytest.fixture
def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def raw_server() -> Iterator:
    """Answers every connection with bytes, of which some may come late."""
    listening = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve(parts: list[bytes], pause: float) -> str:
        def answer() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    try:
                        for part in parts:
                            connection.sendall(part)
                            ended.wait(pause)
                    except OSError:
                        continue

        threading.Thread(target=answer, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield serve
    ended.set()
    listening.close()


def test_a_server_that_is_down(closed_port):
    began = time.monotonic()
    assert refusal(f"http://{closed_port}") == (
        f"There is no server at http://{closed_port} (Connection refused); "
        "`tfdpzoo serve-config` prints the command that starts one."
    )
    assert time.monotonic() - began < 3


def test_a_host_that_is_not_known():
    sentence = refusal("http://no-such-host.invalid:8501", timeout=5)
    assert sentence.startswith("There is no server at http://no-such-host.invalid:8501 (")


def test_a_server_that_says_nothing(raw_server):
    url = raw_server([b""], 30)
    began = time.monotonic()
    assert refusal(url, timeout=0.3) == (
        f"The server at {url} did not answer within 0.3 seconds; it is down or overloaded, or "
        "needs a longer timeout."
    )
    assert time.monotonic() - began < 2


def test_a_server_that_never_ends(raw_server):
    """Each byte comes in time, the whole never does: what takes long is all of it together."""
    drops = [b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 1000]
    url = raw_server(drops, 0.05)
    began = time.monotonic()
    assert "did not answer within 0.4 seconds" in refusal(url, timeout=0.4)
    assert time.monotonic() - began < 2


def test_a_server_without_end_of_content(raw_server, monkeypatch):
    monkeypatch.setattr(http_exchange, "_LARGEST_ANSWER", 1000)
    url = raw_server([b"HTTP/1.1 200 OK\r\n\r\n", b"[" * 5000], 0)
    assert refusal(url).endswith("does not answer as a web server does: the answer does not end.")


def test_a_server_of_another_protocol(raw_server):
    url = raw_server([b"\x00\x00\x12\x04\x00\x00\x00"], 0)
    sentence = refusal(url)
    assert "broke the connection off instead of answering" in sentence
    assert "8500 is that of gRPC" in sentence


def test_a_page_is_no_answer():
    with rest_server(lambda *_: (404, b"<html>\n<h1>\x1b[31mNo</h1>")) as url:
        assert refusal(url) == (
            f"The server at {url} is not TensorFlow Serving: it answered "
            "/v1/models/digits:predict with status 404 and '<html> <h1>\ufffd[31mNo</h1>', which "
            "is not JSON."
        )


@pytest.mark.parametrize(
    "content",
    [
        [],
        None,
        {"predictions": {}},
        {"predictions": []},
        {"predictions": [1, 2]},
        {"predictions": [{"logits": [0] * 4}] * 2},
        {"predictions": [{"probabilities": ["a"] * 4}] * 2},
        {"predictions": [{"probabilities": [0.25] * 4}, {"probabilities": [0.5]}]},
        {"predictions": [{"probabilities": [0.25] * 4}] * 3},
        {"predictions": [{"probabilities": [0.5] * 4}] * 2},
        {"predictions": [{"probabilities": [float("nan")] * 4}] * 2},
        {"predictions": [{"probabilities": [2.0, -1.0, 0.0, 0.0]}] * 2},
    ],
    ids=str,
)
def test_nonsense_in_json(content):
    with rest_server(lambda *_: (200, content)) as url:
        sentence = refusal(url)
    assert sentence.startswith(f"The model digits at {url} ")
    assert any(part in sentence for part in ("does not answer with", "it cannot be used"))


def test_an_answer_that_makes_sense():
    with rest_server(lambda *_: (200, GOOD)) as url:
        assert client(url).probabilities(IMAGES, 4).tolist() == [[0.25] * 4] * 2


@pytest.mark.parametrize("content", [[], {"metadata": {}}, {"metadata": [], "model_spec": 1}])
def test_metadata_that_are_none(content):
    with rest_server(lambda *_: (200, content)) as url, pytest.raises(InputError, match="metadata"):
        client(url).signatures()


def test_the_servers_error_is_quoted_without_what_steers_a_terminal():
    error = {"error": "no \x1b[2J\nmemory " + "!" * 1000}
    with rest_server(lambda *_: (500, error)) as url:
        sentence = refusal(url)
    assert sentence.startswith(
        f"The model digits at {url} cannot be used; it answered with status 500: no \ufffd[2J "
        "memory !!!"
    )
    assert len(sentence) < 400


def test_a_model_that_is_still_loading_is_named():
    def respond(method: str, path: str, body: bytes):
        if path == "/v1/models/digits":
            return 200, {"model_version_status": [{"version": "3", "state": "LOADING"}]}
        return 404, {"error": "Servable not found for request: Latest(digits)"}

    with rest_server(respond) as url:
        assert refusal(url).endswith(
            "Servable not found for request: Latest(digits). It has version 3 (LOADING)."
        )


def test_a_server_that_is_not_ready_is_asked_again():
    statuses = [503, 503, 200]
    with rest_server(lambda *_: (statuses.pop(0), GOOD)) as url:
        assert len(client(url).probabilities(IMAGES, 4)) == 2
    assert statuses == []


def test_an_error_is_not_asked_again():
    paths = []

    def respond(method: str, path: str, body: bytes):
        paths.append(path)
        return 400, {"error": "no"}

    with rest_server(respond) as url:
        refusal(url)
    assert paths == ["/v1/models/digits:predict", "/v1/models/digits"]


def test_a_redirection_is_not_followed():
    with rest_server(lambda *_: (302, {"error": "elsewhere"})) as url:
        assert "status 302" in refusal(url)


def test_a_model_of_an_earlier_tfdpzoo_has_no_guarantee_over_rest():
    content = metadata("serving_default", "privacy_guarantee")
    refused = pytest.raises(InputError, match=r"by an earlier tfdpzoo, .*; ask by gRPC, or export")
    with rest_server(lambda *_: (200, content)) as url, refused:
        ask_guarantee(url, "digits")


def test_a_model_of_others_has_no_guarantee():
    refused = pytest.raises(InputError, match="was not exported by tfdpzoo: it has no signature")
    with rest_server(lambda *_: (200, metadata("serving_default"))) as url, refused:
        ask_guarantee(url, "digits")


@pytest.mark.parametrize("predictions", [[], [1], ["a", "b"], "a"])
def test_a_guarantee_that_is_none(predictions):
    def respond(method: str, path: str, body: bytes):
        found = metadata("privacy_guarantee_rest")
        return 200, found if method == "GET" else {"predictions": predictions}

    with rest_server(respond) as url, pytest.raises(InputError, match="does not answer with"):
        ask_guarantee(url, "digits")
