"""A server on the loopback interface that answers as TensorFlow Serving's REST API does."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

_METADATA = "/metadata"
_PREDICT = ":predict"
_SIGNATURES = {"privacy_guarantee": {"inputs": {}}, "privacy_guarantee_rest": {"inputs": {}}}


@contextlib.contextmanager
def serving(answers: dict[str, Any]) -> Iterator[str]:
    """Serves records by the path of their model, `/v1/models/NAME`; gives the server's address.

    A record is had by the signature `privacy_guarantee`, without inputs, and by
    `privacy_guarantee_rest`, with one.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.endswith(_METADATA) and self.path[: -len(_METADATA)] in answers
            self._answer({"metadata": _metadata(), "model_spec": {}} if known else None)

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            record = answers.get(self.path.removesuffix(_PREDICT))
            self._answer(None if record is None else _predicted(asked, record))

        def _answer(self, fields: Any) -> None:
            content = json.dumps(fields or {"error": "Servable not found"}).encode()
            self.send_response(200 if fields else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _metadata() -> Any:
    return {"signature_def": {"signature_def": _SIGNATURES}}


def _predicted(asked: Any, record: Any) -> Any:
    if asked == {"signature_name": "privacy_guarantee", "inputs": {}}:
        return {"outputs": record}
    if asked == {"signature_name": "privacy_guarantee_rest", "instances": [""]}:
        return {"predictions": [record]}
    return None
