"""A server on the loopback interface that answers as TensorFlow Serving's REST API does."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def serving(answers: dict[str, Any], status: int = 200) -> Iterator[str]:
    """Serves the answers to `POST /v1/models/...:predict`, by path; gives the server's address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            right = asked == {"signature_name": "privacy_guarantee", "inputs": {}}
            found = answers.get(self.path) if right else None
            body = {"error": "Servable not found"} if found is None else {"outputs": found}
            content = json.dumps(body).encode()
            self.send_response(404 if found is None else status)
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
