"""Inference by OpenVINO, and clients of a server that answers at once and infers nothing."""

from __future__ import annotations

import json
import os
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from benchmarks.training_step import StepSettings, TrainingStep
from tfdpzoo.serving.client import Client
from tfdpzoo.serving.served_model import ServedModel

_MODEL = ServedModel("benchmarked")


def openvino(settings: StepSettings) -> TrainingStep:
    """The exported model, read by OpenVINO, in float32 as TensorFlow computes."""
    # Elsewhere the conversion reports to its makers, in processes that outlive this one.
    os.environ["CI"] = "true"
    import openvino

    from benchmarks.inference_steps import exported_folder

    model = settings.benchmarked_model.build("keras")
    core = openvino.Core()
    core.set_property({"INFERENCE_PRECISION_HINT": "f32"})
    with exported_folder(model) as folder:
        compiled = core.compile_model(openvino.convert_model(str(folder)), "CPU")
    images = settings.benchmarked_model.random_examples(settings.batch)[0]

    def run() -> None:
        np.array(compiled(images)["logits"])

    return TrainingStep(run, model.count_params())


def rest_client(settings: StepSettings) -> TrainingStep:
    """The REST client: pixels to JSON, HTTP on loopback, JSON to probabilities."""
    from tfdpzoo.serving.rest import RestClient

    row = {"logits": _probabilities(settings)[0], "probabilities": _probabilities(settings)[0]}
    content = json.dumps({"predictions": [row] * settings.batch}).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # The kernel would hold the body back for 40 ms after the head.
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return _step(settings, RestClient(f"http://127.0.0.1:{server.server_port}", _MODEL))


def grpc_client(settings: StepSettings) -> TrainingStep:
    """The gRPC client: pixels to a protocol buffer, gRPC on loopback, and back."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    from tfdpzoo.serving.grpc_api import GrpcClient

    response = predict_pb2.PredictResponse()
    values = np.array(_probabilities(settings), np.float32)
    for name in ("logits", "probabilities"):
        response.outputs[name].CopyFrom(tf.make_tensor_proto(values))

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
            return response

    # Without it the images of a batch of 256 are too long a message.
    options = [("grpc.max_receive_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(1), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return _step(settings, GrpcClient(f"127.0.0.1:{port}", _MODEL), server)


def _step(settings: StepSettings, client: Client, server: Any = None) -> TrainingStep:
    """Asks a server, which is kept meanwhile: one of gRPC that nothing refers to is stopped."""
    model = settings.benchmarked_model
    images = np.random.default_rng(0).integers(
        0, 256, (settings.batch, *model.input_shape), np.uint8
    )

    def run(server: Any = server) -> None:
        client.probabilities(images, model.classes)

    return TrainingStep(run, parameters=0)


def _probabilities(settings: StepSettings) -> list[list[float]]:
    classes = settings.benchmarked_model.classes
    row = np.random.default_rng(0).dirichlet(np.ones(classes)).astype(np.float32)
    return [row.tolist()] * settings.batch
