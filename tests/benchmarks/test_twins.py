"""The peers train the zoo's networks, not similar ones."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.driver import PEERS_PYTHON, ROOT
from benchmarks.models import MODELS

EXAMPLES = 2


@pytest.fixture(scope="module")
def references(tmp_path_factory) -> Path:
    """A folder with drawn weights, images and the zoo's logits of them, a file for each model."""
    if not PEERS_PYTHON.exists():
        pytest.skip("the environment of the peers does not exist; `make bench` makes it")
    folder = tmp_path_factory.mktemp("references")
    for index, (name, benchmarked) in enumerate(MODELS.items()):
        model = benchmarked.build("keras")
        random = np.random.default_rng(index)
        weights = [drawn(random, variable.shape) for variable in model.trainable_variables]
        for variable, values in zip(model.trainable_variables, weights, strict=True):
            variable.assign(values)
        images, _ = benchmarked.random_examples(EXAMPLES)
        np.savez(folder / name, *weights, images=images, logits=model(images, training=False))
    return folder


@pytest.fixture(scope="module", params=["pytorch", "jax"])
def differences(request, references) -> dict[str, float]:
    """How far a framework's logits are from the zoo's, by model."""
    done = subprocess.run(
        [PEERS_PYTHON, Path(__file__).with_name("twin_logits.py"), request.param, references],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip(f"{request.param} is not installed in the environment of the peers")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", MODELS)
def test_equal_weights_give_equal_logits(name, differences):
    # Forty layers of float32 round differently in another order of summation.
    assert differences[name] < 1e-4


def drawn(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """One variable: kernels with He's variance, vectors around a half."""
    values = random.standard_normal(shape, dtype=np.float32)
    if len(shape) == 1:
        return 0.5 + 0.5 * values
    return values * np.float32(np.sqrt(2.0 / np.prod(shape[:-1])))
