"""One small exported model, and every server that can be had for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf
from serving_models import make_images, make_registry
from serving_servers import RunningServer, binary_server, given_server, own_server


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A registry with the model `small` in two versions."""
    return make_registry(tmp_path_factory.mktemp("zoo") / "saved_models")


@pytest.fixture(scope="session")
def exported(models) -> Path:
    return models / "small" / "2"


@pytest.fixture(scope="session")
def loaded(exported):
    return tf.saved_model.load(str(exported))


@pytest.fixture(scope="session")
def record(loaded) -> str:
    """What the model itself says when it is asked in Python."""
    return loaded.signatures["privacy_guarantee"]()["json"].numpy().decode()


@pytest.fixture(scope="session", params=["own", "binary", "given"])
def server(request, models) -> Iterator[RunningServer]:
    """A server of the models: ours, a `tensorflow_model_server`, one whose address is given."""
    if request.param == "own":
        start = own_server(models)
    elif request.param == "binary":
        program = shutil.which("tensorflow_model_server")
        if program is None:
            pytest.skip("tensorflow_model_server is not on the PATH")
        start = binary_server(Path(program), models)
    else:
        if "TFDPZOO_SERVING_URL" not in os.environ:
            pytest.skip("TFDPZOO_SERVING_URL names no server to test against")
        start = given_server()
    with start as running:
        yield running


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> list[Path]:
    return make_images(tmp_path_factory.mktemp("images"))
