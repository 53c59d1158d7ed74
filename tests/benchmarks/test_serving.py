"""The section on serving, and the clients that it measures."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from benchmarks import serving_steps
from benchmarks.measurement import Measurement
from benchmarks.models import SERVED_MODELS
from benchmarks.results import Section
from benchmarks.serving import GRPC_CLIENT, OPENVINO, REST_CLIENT, TENSORFLOW
from benchmarks.serving_page import serving_section
from benchmarks.training_step import StepSettings

MEASURED_ON = {"command": "`python -m benchmarks serving`", "date": "2030-01-02"}


def test_the_section(tmp_path):
    seconds = tuple(np.linspace(0.01, 0.03, 21))
    rows = [
        Measurement(TENSORFLOW.name, 8, seconds),
        Measurement(OPENVINO.name, 8, tuple(2 * each for each in seconds)),
        Measurement(REST_CLIENT.name, 8, (0.004,) * 21),
        Measurement(GRPC_CLIENT.name, 8, (0.001,) * 21),
    ]
    other = [
        Measurement(TENSORFLOW.name, 1, (0.01,)),
        Measurement(OPENVINO.name, 1, failure="too old"),
    ]
    models = {"smoothnet-w40d10": rows, "tanh-cnn": other}
    text = serving_section(asdict(Section.of_one_run(MEASURED_ON, models)), tmp_path)
    assert "| smoothnet-w40d10 | 8 | 20 | 29 | 400 | 200 | 2.00 |  |\n" in text
    # One call has no percentile, and OpenVINO no time.
    assert "| tanh-cnn | 1 | 10 |  | 100 |  |  | too old |\n" in text
    assert "| 28 x 28 x 1 | 8 | 4 | 4 | 1 | 1 |\n" in text
    assert "command: `python -m benchmarks serving`; date: 2030-01-02" in text


@pytest.mark.parametrize("make", [serving_steps.rest_client, serving_steps.grpc_client])
def test_clients_get_their_answers(make):
    make(StepSettings("smoothnet-w40d10", batch=3)).run()


def test_served_models_have_the_arguments_of_their_recipes():
    from tfdpzoo.zoo import catalog

    for served, (model, recipe) in {
        "smoothnet-w40d10": ("smoothnet", "mnist"),
        "equivariant-resnet9-narrow": ("equivariant_resnet9", "cifar10-cpu"),
        "smoothnet-w80d10": ("smoothnet", "cifar10-cpu"),
    }.items():
        stated = catalog.recipe(model, recipe).architecture
        arguments = dict(SERVED_MODELS[served].arguments)
        assert {name: np.array(stated[name]).tolist() for name in arguments} == {
            name: np.array(value).tolist() for name, value in arguments.items()
        }
