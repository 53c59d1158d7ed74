"""What a card needs travels with the model, and nothing of the training examples does."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix
from stand_in import CLASSES, SHAPE, StandIn

from tfdpzoo.errors import InputError
from tfdpzoo.model_facts import (
    FACTS_FILE,
    CurvePoint,
    ModelFacts,
    TrainingFacts,
    confusion_of,
)
from tfdpzoo.saved_model import export
from tfdpzoo.verification import verify
from tfdpzoo.zoo import build

TRAINING = TrainingFacts(
    model="small",
    recipe="mine",
    recipe_text='model = "small"\n',
    dataset="images",
    seconds=3.5,
    curve=(CurvePoint(10, 1.5, 0.25, 1.3), CurvePoint(20, 2.0, 0.5, 1.1)),
    confusion=((3, 1, 0, 0), (0, 0, 0, 0), (0, 0, 2, 0), (1, 0, 0, 3)),
)


@pytest.fixture(scope="module")
def private() -> StandIn:
    return StandIn()


@pytest.fixture(scope="module")
def exported(private, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "small" / "1"
    return export(private, path, training=TRAINING)


def test_facts_are_written_with_the_model_and_read_back(private, exported):
    facts = ModelFacts.read(exported)

    assert facts == ModelFacts.of(private.model, SHAPE, CLASSES, TRAINING)
    assert facts.parameters == private.model.count_params()
    assert [each.type for each in facts.layers] == [
        "Normalization",
        "Conv2D",
        "GroupNormalization",
        "Flatten",
        "Dense",
    ]
    convolution = facts.layers[1]
    assert (convolution.output_shape, convolution.parameters) == ((6, 6, 4), 108)
    assert convolution.inputs == (facts.layers[0].name,)


def test_facts_are_under_the_digests(exported, tmp_path):
    assert verify(exported).ok
    altered = tmp_path / "1"
    altered.mkdir()
    for file in exported.rglob("*"):
        target = altered / file.relative_to(exported)
        if file.is_dir():
            target.mkdir(exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    path = altered / FACTS_FILE
    path.write_text(path.read_text().replace('"seconds": 3.5', '"seconds": 3.0'))

    assert verify(altered).problems == (
        f"The file {FACTS_FILE} was altered: it does not have the digest in "
        "assets.extra/privacy.json.",
    )


def test_a_model_without_facts_has_none(tmp_path):
    assert ModelFacts.read(tmp_path) is None


@pytest.mark.parametrize("text", [b"", b"{}", b'{"format": 1}', b"\xff"])
def test_damaged_facts_are_refused(tmp_path, text):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / FACTS_FILE).write_bytes(text)

    with pytest.raises(InputError, match=r"model\.json is damaged; verify the model\.$"):
        ModelFacts.read(tmp_path)


def test_dense_connections_are_told():
    model = build("smoothnet", input_shape=(16, 16, 1), classes=3, width=1.0, depth=2)
    facts = ModelFacts.of(model, (16, 16, 1), 3)

    assert sum(each.parameters for each in facts.layers) == facts.parameters
    names = {each.name for each in facts.layers}
    # Everything but the image comes from a layer that is told, too.
    told = {name for each in facts.layers for name in each.inputs}
    assert len(told - names) == 1
    assert max(len(each.inputs) for each in facts.layers) > 1


def test_the_confusion_is_that_of_scikit_learn():
    random = np.random.default_rng(5)
    labels, predictions = random.integers(0, 7, (2, 300))

    expected = confusion_matrix(labels, predictions, labels=range(7))
    assert (confusion_of(labels, predictions, 7) == expected).all()


def test_accuracy_by_class():
    assert TRAINING.per_class_accuracy == (0.75, None, 1.0, 0.75)
