"""The client of the server that the options name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfdpzoo.errors import InputError

if TYPE_CHECKING:
    from tfdpzoo.serving.client import Client


def client_of(
    url: str | None,
    grpc_address: str | None,
    model: str | None,
    version: int | None,
    label: str | None,
    timeout: float,
) -> Client:
    """Returns a client of the server and model that were given.

    Args:
        url: `--url`.
        grpc_address: `--grpc`.
        model: `--model`.
        version: `--version`.
        label: `--label`.
        timeout: `--timeout`.

    Raises:
        InputError: Not one server and a model are given, or one of them cannot be.
    """
    from tfdpzoo.serving.address import require_grpc_address, require_timeout
    from tfdpzoo.serving.served_model import ServedModel

    if (url is None) == (grpc_address is None):
        raise InputError("Give one server: --url http://HOST:8501 or --grpc HOST:8500.")
    if model is None:
        raise InputError("Give --model, the model's name at the server.")
    served = ServedModel(model, version, label)
    require_timeout(timeout)
    if url is not None:
        from tfdpzoo.serving.rest import RestClient

        return RestClient(url, served, timeout)
    address = require_grpc_address(grpc_address or "")
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow

    # The messages of the API are in part TensorFlow's.
    start_tensorflow()
    from tfdpzoo.serving.grpc_api import GrpcClient

    return GrpcClient(address, served, timeout)
