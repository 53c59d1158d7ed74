"""TensorFlow Serving's gRPC API, through the package tensorflow-serving-api (extra `serving`)."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

from tfdpzoo.errors import InputError
from tfdpzoo.foreign_text import quoted
from tfdpzoo.serving.address import (
    DEFAULT_TIMEOUT,
    is_loopback,
    require_grpc_address,
    require_timeout,
)
from tfdpzoo.serving.client import require_probabilities
from tfdpzoo.serving.served_model import (
    GUARANTEE,
    GUARANTEE_BY_REST,
    SERVING,
    ServedModel,
    ServedSignatures,
)

_LARGEST_ANSWER = 256 << 20


class GrpcClient:
    """Asks a model of a server over gRPC, without encryption.

    Args:
        address: The server's address, `HOST:8500`.
        model: Which of its models.
        timeout: How many seconds each answer may take.

    Raises:
        InputError: The address or the timeout cannot be used, or the package is not installed.
    """

    def __init__(self, address: str, model: ServedModel, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._address = require_grpc_address(address)
        self._timeout = require_timeout(timeout)
        self._model = model
        self._grpc, service = _package("grpc"), _package(_APIS + "prediction_service_pb2_grpc")
        options = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", _LARGEST_ANSWER),
            ("grpc.enable_http_proxy", int(not is_loopback(address.rpartition(":")[0]))),
        ]
        channel = self._grpc.insecure_channel(self._address, options=options)
        self._stub = service.PredictionServiceStub(channel)

    @property
    def place(self) -> str:
        """The model and its server, as they are called in a sentence."""
        return f"The model {self._model} at {self._address}"

    def signatures(self) -> ServedSignatures:
        """Asks as `Client.signatures` says."""
        metadata = _package(_APIS + "get_model_metadata_pb2")
        request = metadata.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._choose(request.model_spec)
        answer = self._call(self._stub.GetModelMetadata, request)
        found = metadata.SignatureDefMap()
        if not answer.metadata["signature_def"].Unpack(found):
            raise self._nonsense("with the model's metadata")
        # The same JSON as over REST.
        to_json = _package("google.protobuf.json_format").MessageToDict
        fields = to_json(found, preserving_proto_field_name=True)
        return ServedSignatures.parse(
            answer.model_spec.version.value, fields.get("signature_def", {})
        )

    def probabilities(self, images: npt.NDArray[np.uint8], classes: int) -> npt.NDArray[np.float64]:
        """Asks as `Client.probabilities` says."""
        inputs = {"images": images.astype(np.float32)}
        values = self._predict(SERVING, inputs, "probabilities").astype(np.float64)
        return require_probabilities(values, len(images), classes, self.place)

    def guarantee(self) -> str:
        """Asks as `Client.guarantee` says."""
        names = self.signatures().names
        if GUARANTEE not in names:
            raise InputError(
                f"{self.place} was not exported by tfdpzoo: it has no signature {GUARANTEE}."
            )
        if GUARANTEE_BY_REST in names:
            # A server that batches requests refuses what has no batch.
            inputs = {"requests": np.array([b""], object)}
            answered = self._predict(GUARANTEE_BY_REST, inputs, "json").ravel()
        else:
            answered = self._predict(GUARANTEE, {}, "json").ravel()
        try:
            (record,) = answered.tolist()
            return bytes(record).decode()
        except (TypeError, ValueError) as error:
            raise self._nonsense("with a privacy record") from error

    def _predict(self, signature: str, inputs: dict[str, Any], output: str) -> Any:
        import tensorflow as tf

        request = _package(_APIS + "predict_pb2").PredictRequest()
        self._choose(request.model_spec)
        request.model_spec.signature_name = signature
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        answer = self._call(self._stub.Predict, request)
        try:
            values = tf.make_ndarray(answer.outputs[output])
        except (TypeError, ValueError) as error:
            raise self._nonsense(f"with {output}") from error
        if output not in answer.outputs or (values.dtype.kind == "O") != (output == "json"):
            raise self._nonsense(f"with {output}")
        return values

    def _choose(self, specification: Any) -> None:
        specification.name = self._model.name
        if self._model.version is not None:
            specification.version.value = self._model.version
        elif self._model.label is not None:
            specification.version_label = self._model.label

    def _call(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=self._timeout)
        except self._grpc.RpcError as error:
            raise InputError(self._explain(error)) from error

    def _explain(self, error: Any) -> str:
        code, codes, details = error.code(), self._grpc.StatusCode, quoted(error.details() or "")
        if code == codes.DEADLINE_EXCEEDED:
            return (
                f"The server at {self._address} did not answer within {self._timeout:g} seconds; "
                "it is down or overloaded, or needs a longer timeout."
            )
        if code == codes.UNAVAILABLE:
            return (
                f"There is no gRPC server at {self._address} ({details}); `tfdpzoo serve-config` "
                "prints the command that starts one."
            )
        if code == codes.UNIMPLEMENTED:
            return f"The server at {self._address} is not TensorFlow Serving: {details}."
        if code == codes.NOT_FOUND:
            return (
                f"The server at {self._address} does not serve {self._model}; it answered: "
                f"{details}. A model's name is the one in the server's models.config, or what "
                "--model_name or MODEL_NAME said when it was started."
            )
        return f"{self.place} cannot be used; it answered {code.name}: {details}."

    def _nonsense(self, expected: str) -> InputError:
        return InputError(
            f"{self.place} does not answer {expected} as TensorFlow Serving does; is it another "
            "server, or a model that tfdpzoo did not export?"
        )


_APIS = "tensorflow_serving.apis."


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            "gRPC needs the packages grpcio and tensorflow-serving-api, which are not installed; "
            "`pip install 'tfdpzoo[serving]'` brings them, and --url needs neither."
        ) from error
