"""Clients of both APIs against every server that is there: they say what the model says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.serving.grpc_api import GrpcClient
from tfdpzoo.serving.images import read_images
from tfdpzoo.serving.predictions import predict_files
from tfdpzoo.serving.rest import RestClient, ask_guarantee
from tfdpzoo.serving.served_model import ServedModel

SECONDS = 20.0


@pytest.fixture(params=["REST", "gRPC"])
def client_of(request, server):
    """Makes clients of the server's model by one API."""
    if request.param == "gRPC" and server.grpc_address is None:
        pytest.skip("TFDPZOO_SERVING_GRPC gives no gRPC address of the server")

    def make(name: str = server.model, **version: Any) -> RestClient | GrpcClient:
        model = ServedModel(name, **version)
        if request.param == "REST":
            return RestClient(server.url, model, SECONDS)
        return GrpcClient(server.grpc_address, model, SECONDS)

    return make


def expected(server, pixels: np.ndarray, version: int | None = None) -> np.ndarray:
    serve = server.loaded(version).signatures["serving_default"]
    return serve(images=tf.constant(pixels.astype(np.float32)))["probabilities"].numpy()


def test_the_signatures_are_the_models(server, client_of):
    found = client_of().signatures()
    serving = server.loaded().signatures["serving_default"]
    assert found.version == server.version
    assert found.image_shape == tuple(serving.structured_input_signature[1]["images"].shape[1:])
    assert found.classes == serving.structured_outputs["probabilities"].shape[1]
    assert {"serving_default", "privacy_guarantee", "privacy_guarantee_rest"} <= found.names


@pytest.mark.parametrize("batch_size", [1, 2, 5, 32])
def test_predictions_are_the_models(server, client_of, images, batch_size):
    client = client_of()
    rows = list(predict_files(client, images, batch_size=batch_size))
    probabilities = expected(server, read_images(images, client.signatures().image_shape))
    assert [row.image for row in rows] == images
    # REST prints float32 numbers in decimal; TensorFlow may order sums by the batch.
    np.testing.assert_allclose([row.probabilities for row in rows], probabilities, atol=1e-6)
    assert [row.class_number for row in rows] == probabilities.argmax(axis=1).tolist()
    assert [row.probability for row in rows] == [max(row.probabilities) for row in rows]
    assert {row.class_name for row in rows} == {None}


def test_the_model_answers_for_its_privacy(server, client_of):
    answered = client_of().guarantee()
    assert answered == server.loaded().signatures["privacy_guarantee"]()["json"].numpy().decode()
    assert PrivacyGuarantee.from_json(answered).to_json() == answered


def test_the_guarantee_over_rest(server):
    answered = ask_guarantee(server.url, server.model, timeout=SECONDS)
    assert json.loads(answered)["schema_version"] == 1
    assert ask_guarantee(server.url, server.model, server.version) == answered


def test_a_label_chooses_the_version(server, client_of, images):
    if not server.labels:
        pytest.skip("this server has no labels")
    (label, version), *_ = server.labels.items()
    shape = client_of().signatures().image_shape
    pixels = read_images(images[:1], shape)
    for client in (client_of(label=label), client_of(version=version)):
        assert client.signatures().version == version
        found = client.probabilities(pixels, client.signatures().classes)
        np.testing.assert_allclose(found, expected(server, pixels, version), atol=1e-6)


def test_a_model_that_is_not_served(client_of):
    with pytest.raises(InputError) as caught:
        client_of("no-such-model").signatures()
    assert "does not serve" in str(caught.value)
    assert "no-such-model" in str(caught.value)
    assert "models.config, or what --model_name or MODEL_NAME said" in str(caught.value)


def test_a_version_that_is_not_served(server, client_of):
    with pytest.raises(InputError) as caught:
        client_of(version=987).signatures()
    assert f"{server.model}, version 987" in str(caught.value)


def test_a_version_that_is_not_served_over_rest_names_those_that_are(server):
    client = RestClient(server.url, ServedModel(server.model, version=987), SECONDS)
    with pytest.raises(InputError, match=rf"It has .*version {server.version} \(AVAILABLE\)"):
        client.signatures()


def test_a_label_that_is_not_set(client_of):
    with pytest.raises(InputError, match=r"cannot be used; it answered .*no-such-label"):
        client_of(label="no-such-label").signatures()


def test_images_of_another_shape_are_refused_by_the_server(client_of):
    with pytest.raises(InputError, match="cannot be used; it answered"):
        client_of().probabilities(np.zeros((1, 3, 3, 3), np.uint8), 4)
