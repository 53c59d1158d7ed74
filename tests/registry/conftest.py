"""Small exported models, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from stand_in import StandIn, small_model

from tfdpzoo.model_facts import TrainingFacts
from tfdpzoo.saved_model import export

RECIPE = """
name = "{name}"
model = "small"
description = "A test"
dataset = "digits"

[privacy]
epsilon = {epsilon}
delta = 1e-4
batch_size = 100
epochs = 2
clip_norm = 1.0

[optimizer]
name = "sgd"
learning_rate = 1.0
schedule = "constant"
"""


def export_small(path: Path, *, seed: int = 0, accuracy: float = 0.75, epsilon: int = 4) -> Path:
    """Exports a model of 696 weights that says that it was trained on digits."""
    private = StandIn(small_model(seed))
    training = TrainingFacts(
        model="small",
        recipe="test",
        recipe_text=RECIPE.format(name="test", epsilon=epsilon),
        dataset="digits",
        seconds=1.0,
        curve=(),
        confusion=((1, 0), (0, 1)),
    )
    guarantee = private.guarantee().with_metrics({"accuracy": accuracy, "loss": 1.0})
    return export(private, path, guarantee=guarantee, training=training)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version that lies outside of every registry; tests leave it as it is."""
    return export_small(tmp_path_factory.mktemp("exported") / "small" / "1")


@pytest.fixture(scope="session")
def better(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another one: other weights, a higher accuracy, another target."""
    path = tmp_path_factory.mktemp("better") / "small" / "1"
    return export_small(path, seed=1, accuracy=0.9, epsilon=8)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The folder of a new registry, which does not exist yet."""
    return tmp_path / "saved_models"
