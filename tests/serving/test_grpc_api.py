"""What the gRPC client says of servers that are down, slow or something else."""

from __future__ import annotations

import importlib
import socket
import time
from collections.abc import Callable, Iterator
from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from serving_servers import rest_server
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tfdpzoo.errors import InputError
from tfdpzoo.serving.grpc_api import GrpcClient
from tfdpzoo.serving.served_model import ServedModel

IMAGES = np.zeros((2, 8, 8, 3), np.uint8)


def client(address: str, timeout: float = 10.0) -> GrpcClient:
    return GrpcClient(address, ServedModel("digits"), timeout)


def refusal(address: str, timeout: float = 10.0) -> str:
    with pytest.raises(InputError) as caught:
        client(address, timeout).probabilities(IMAGES, 4)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def serve() -> Iterator[Callable]:
    """Starts a PredictionService whose Predict is a function."""
    servers = []

    def start(predict: Callable) -> str:
        class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
            def Predict(self, request, context):  # noqa: N802
                return predict(request, context)

        server = grpc.server(futures.ThreadPoolExecutor(1))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(None)


def answering(values: object, name: str = "probabilities") -> Callable:
    def predict(request, context):
        response = predict_pb2.PredictResponse()
        response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
        return response

    return predict


def test_a_server_that_is_down():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    sentence = refusal(address)
    assert sentence.startswith(f"There is no gRPC server at {address} (")
    assert "`tfdpzoo serve-config` prints the command" in sentence


def test_a_server_that_is_slow(serve):
    def predict(request, context):
        time.sleep(1)
        return predict_pb2.PredictResponse()

    address = serve(predict)
    began = time.monotonic()
    assert refusal(address, timeout=0.2) == (
        f"The server at {address} did not answer within 0.2 seconds; it is down or overloaded, or "
        "needs a longer timeout."
    )
    assert time.monotonic() - began < 1


def test_the_rest_port_is_none_of_grpc():
    with rest_server(lambda *_: (200, {})) as url:
        assert "There is no gRPC server at" in refusal(url.removeprefix("http://"))


def test_a_server_without_the_method(serve):
    address = serve(answering(0))
    with pytest.raises(InputError, match=f"The server at {address} is not TensorFlow Serving"):
        client(address).signatures()


@pytest.mark.parametrize(
    "predict",
    [
        answering(np.full([2, 4], 0.25, np.float32), "other"),
        answering(np.full([2, 5], 0.2, np.float32)),
        answering(np.full([2, 4], np.nan, np.float32)),
        answering(np.full([2, 4], 0.5, np.float32)),
        answering(np.full([2, 4], b"a", object)),
        lambda request, context: predict_pb2.PredictResponse(),
    ],
)
def test_nonsense(serve, predict):
    address = serve(predict)
    assert refusal(address).startswith(f"The model digits at {address} ")


def test_it_sends_raw_pixels_of_the_named_model(serve):
    seen = []

    def predict(request, context):
        seen.append(request)
        return answering(np.full([2, 4], 0.25, np.float32))(request, context)

    pixels = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    model = ServedModel("digits", version=3)
    assert GrpcClient(serve(predict), model).probabilities(pixels, 4).shape == (2, 4)
    (request,) = seen
    assert (request.model_spec.name, request.model_spec.version.value) == ("digits", 3)
    assert request.model_spec.signature_name == "serving_default"
    np.testing.assert_array_equal(tf.make_ndarray(request.inputs["images"]), pixels)


def test_without_the_package_a_sentence_says_what_to_install(monkeypatch):
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(InputError) as caught:
        client("localhost:8500")
    assert str(caught.value) == (
        "gRPC needs the packages grpcio and tensorflow-serving-api, which are not installed; `pip "
        "install 'tfdpzoo[serving]'` brings them, and --url needs neither."
    )
