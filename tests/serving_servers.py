"""Servers to test clients of TensorFlow Serving against.

`own_server` is ours: it speaks TensorFlow Serving's REST API, as its json_tensor.cc and
http_rest_api_handler.cc do, and its gRPC API on the real stubs, and runs loaded SavedModels.
`binary_server` starts a `tensorflow_model_server`, `given_server` uses the one that is running at
TFDPZOO_SERVING_URL; both are the real thing.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfdpzoo.registry.aliases import read_aliases
from tfdpzoo.serving.configuration import configuration_text, served_versions

_SECONDS_TO_START = 60
_DEMO = Path(__file__).resolve().parents[1] / "saved_models" / "demo"


@dataclass(frozen=True)
class RunningServer:
    """A server that serves one model that the tests can also load.

    Attributes:
        url: Its REST address.
        grpc_address: Its gRPC address; None where it is not known.
        model: The model's name.
        folder: The model's folder.
        version: The version that answers where none is asked for.
        labels: Versions by their label.
    """

    url: str
    grpc_address: str | None
    model: str
    folder: Path
    version: int
    labels: Mapping[str, int] = field(default_factory=dict)

    def loaded(self, version: int | None = None) -> Any:
        """The model of a version."""
        return tf.saved_model.load(str(self.folder / str(version or self.version)))


@contextlib.contextmanager
def own_server(models: Path) -> Iterator[RunningServer]:
    """Serves the model `small` of a registry over REST and gRPC."""
    store = _Store(models)
    service = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Service(store), service)
    port = service.add_insecure_port("127.0.0.1:0")
    service.start()
    with rest_server(lambda *request: _answer(store, *request)) as url:
        yield _serving(models, url, f"127.0.0.1:{port}")
    service.stop(None)


@contextlib.contextmanager
def binary_server(program: Path, models: Path) -> Iterator[RunningServer]:
    """Starts a `tensorflow_model_server` with the configuration that `serve-config` writes."""
    configuration = models.parent / "models.config"
    configuration.write_text(configuration_text(served_versions([], models), base=str(models)))
    rest, by_grpc = _free_port(), _free_port()
    command = [program, f"--port={by_grpc}", f"--rest_api_port={rest}"]
    command += [f"--model_config_file={configuration}"]
    command += ["--allow_version_labels_for_unavailable_models=true"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{rest}"
        _wait_until_available(f"{url}/v1/models/small")
        yield _serving(models, url, f"127.0.0.1:{by_grpc}")
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def given_server() -> Iterator[RunningServer]:
    """The server at TFDPZOO_SERVING_URL, which serves the model in TFDPZOO_SERVING_MODEL.

    That is the model's folder, `saved_models/NAME`, by default that of `make demo`; NAME is its
    name at the server. The gRPC address is TFDPZOO_SERVING_GRPC, if there is one.
    """
    folder = Path(os.environ.get("TFDPZOO_SERVING_MODEL", _DEMO))
    if not folder.is_dir():
        pytest.fail(f"there is no {folder}; TFDPZOO_SERVING_MODEL names the served model's folder")
    yield RunningServer(
        url=os.environ["TFDPZOO_SERVING_URL"],
        grpc_address=os.environ.get("TFDPZOO_SERVING_GRPC"),
        model=folder.name,
        folder=folder,
        version=max(int(each.name) for each in folder.iterdir() if each.name.isdecimal()),
    )


Respond = Callable[[str, str, bytes], tuple[int, Any]]
"""From method, path and body to status and content: bytes as they are, or JSON."""


@contextlib.contextmanager
def rest_server(respond: Respond) -> Iterator[str]:
    """Answers HTTP requests on a free port of 127.0.0.1; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one write: the kernel would hold a second one back for 40 ms.
        wbufsize = -1

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content = respond(self.command, self.path, body)
            content = content if isinstance(content, bytes) else json.dumps(content).encode()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _RefusalError(Exception):
    def __init__(self, message: str, code: grpc.StatusCode) -> None:
        super().__init__(message)
        self.code = code


class _Store:
    """The loaded versions of the models of a registry."""

    def __init__(self, models: Path) -> None:
        self.versions = {}
        self.labels = {}
        for folder in models.iterdir():
            numbers = [int(each.name) for each in folder.iterdir() if each.name.isdecimal()]
            self.versions[folder.name] = {each: _Version(folder / str(each)) for each in numbers}
            self.labels[folder.name] = dict(read_aliases(folder))

    def find(self, name: str, version: int | None, label: str | None) -> tuple[int, _Version]:
        versions = self.versions.get(name, {})
        if label is not None and label not in self.labels.get(name, {}):
            raise _RefusalError(
                f"Unrecognized servable version label: {label}", grpc.StatusCode.INVALID_ARGUMENT
            )
        if label is not None:
            version = self.labels[name][label]
        wanted = f"Specific({name}, {version})" if version is not None else f"Latest({name})"
        version = max(versions, default=None) if version is None else version
        if version not in versions:
            raise _RefusalError(
                f"Servable not found for request: {wanted}", grpc.StatusCode.NOT_FOUND
            )
        return version, versions[version]


class _Version:
    def __init__(self, folder: Path) -> None:
        self.model = tf.saved_model.load(str(folder))
        graph = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        self.signature_defs = graph.meta_graphs[0].signature_def

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        function = self.model.signatures[signature]
        tensors = {name: tf.constant(values) for name, values in inputs.items()}
        try:
            return {name: each.numpy() for name, each in function(**tensors).items()}
        except (TypeError, ValueError, tf.errors.OpError) as error:
            message = str(error).splitlines()[0]
            raise _RefusalError(message, grpc.StatusCode.INVALID_ARGUMENT) from error

    def signature(self, name: str) -> Any:
        if name not in self.signature_defs:
            raise _RefusalError(
                f'Serving signature name: "{name}" not found in signature def',
                grpc.StatusCode.INVALID_ARGUMENT,
            )
        return self.signature_defs[name]


_PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?(/metadata|:predict)?")
_HTTP_STATUS = {grpc.StatusCode.NOT_FOUND: 404, grpc.StatusCode.INVALID_ARGUMENT: 400}


def _answer(store: _Store, method: str, path: str, body: bytes) -> tuple[int, Any]:
    matched = _PATH.fullmatch(urlsplit(path).path)
    verb = matched and matched[4]
    if matched is None or (method == "POST") != (verb == ":predict"):
        return 400, {"error": f"Malformed request: {method} {path}"}
    name, label = matched[1], matched[3]
    version = None if matched[2] is None else int(matched[2])
    try:
        if verb is None:
            return 200, _status(store, name)
        version, served = store.find(name, version, label)
        if verb == "/metadata":
            return 200, _metadata(name, version, served)
        return 200, _predict(served, json.loads(body))
    except _RefusalError as error:
        return _HTTP_STATUS[error.code], {"error": str(error)}


def _status(store: _Store, name: str) -> Any:
    if not store.versions.get(name):
        raise _RefusalError(
            f"Could not find any versions of model {name}", grpc.StatusCode.NOT_FOUND
        )
    return {
        "model_version_status": [
            {
                "version": str(version),
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
            for version in sorted(store.versions[name], reverse=True)
        ]
    }


def _metadata(name: str, version: int, served: _Version) -> Any:
    definitions = {
        signature: MessageToDict(definition, preserving_proto_field_name=True)
        for signature, definition in served.signature_defs.items()
    }
    kind = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": {"@type": kind, "signature_def": definitions}},
    }


def _predict(served: _Version, request: Any) -> Any:
    name = request.get("signature_name", "serving_default")
    signature = served.signature(name)
    if not signature.inputs:
        # As json_tensor.cc has it: a signature without inputs cannot be called over REST.
        raise _RefusalError(
            f"Failed to get input map for signature: {name}", grpc.StatusCode.INVALID_ARGUMENT
        )
    ((input_name, information),) = signature.inputs.items()
    dtype = tf.dtypes.as_dtype(information.dtype).as_numpy_dtype
    by_row = "instances" in request
    values = request["instances" if by_row else "inputs"]
    if isinstance(values, dict):
        values = values[input_name]
    try:
        fed = np.array(values, dtype)
    except ValueError as error:
        raise _RefusalError(
            f"Failed to process element: 0 of 'instances' list. Error: {error}",
            grpc.StatusCode.INVALID_ARGUMENT,
        ) from error
    outputs = {key: _to_json(each) for key, each in served.run(name, {input_name: fed}).items()}
    if not by_row:
        return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}
    rows = [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]
    return {"predictions": rows if len(outputs) > 1 else next(iter(outputs.values()))}


def _to_json(values: np.ndarray) -> Any:
    if values.dtype == object:
        return np.vectorize(bytes.decode, otypes=[object])(values).tolist()
    return values.tolist()


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """TensorFlow Serving's gRPC service, as far as the clients use it."""

    def __init__(self, store: _Store) -> None:
        self._store = store

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        version, served = self._find(request, context)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version
        definitions = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in served.signature_defs.items():
            definitions.signature_def[name].CopyFrom(definition)
        response.metadata["signature_def"].Pack(definitions)
        return response

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        version, served = self._find(request, context)
        name = request.model_spec.signature_name or "serving_default"
        try:
            served.signature(name)
            inputs = {key: tf.make_ndarray(each) for key, each in request.inputs.items()}
            outputs = served.run(name, inputs)
        except _RefusalError as error:
            context.abort(error.code, str(error))
        response = predict_pb2.PredictResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version
        for key, values in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(values))
        return response

    def _find(self, request: Any, context: grpc.ServicerContext) -> tuple[int, _Version]:
        asked = request.model_spec
        version = asked.version.value if asked.HasField("version") else None
        try:
            return self._store.find(asked.name, version, asked.version_label or None)
        except _RefusalError as error:
            context.abort(error.code, str(error))
            raise


def _serving(models: Path, url: str, grpc_address: str) -> RunningServer:
    labels = dict(read_aliases(models / "small"))
    return RunningServer(url, grpc_address, "small", models / "small", 2, labels)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_available(url: str) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as answer:
            if b"AVAILABLE" in answer.read():
                return
        time.sleep(0.2)
    raise TimeoutError(f"no server at {url} after {_SECONDS_TO_START} seconds")
