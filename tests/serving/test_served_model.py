"""Which model is asked, and what a server's word for it is worth."""

from __future__ import annotations

import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.serving.served_model import ServedModel, ServedSignatures


def tensor(dtype: str, *sizes: object) -> dict:
    return {"dtype": dtype, "tensor_shape": {"dim": [{"size": str(each)} for each in sizes]}}


def signatures(images: object, probabilities: object) -> dict:
    serving = {"inputs": {"images": images}, "outputs": {"probabilities": probabilities}}
    return {"serving_default": serving}


GOOD = tensor("DT_FLOAT", -1, 28, 20, 1), tensor("DT_FLOAT", -1, 10)


def test_a_classifier():
    found = ServedSignatures.parse("3", signatures(*GOOD))
    assert found.require_classifier("it") == ((28, 20, 1), 10)
    assert found.version == 3


@pytest.mark.parametrize(
    ("images", "probabilities"),
    [
        (tensor("DT_UINT8", -1, 28, 28, 1), GOOD[1]),
        (tensor("DT_FLOAT", -1, 28, 28), GOOD[1]),
        (tensor("DT_FLOAT", -1, -1, 28, 1), GOOD[1]),
        (tensor("DT_FLOAT", -1, 28, 28, 4), GOOD[1]),
        (tensor("DT_FLOAT", -1, 0, 28, 1), GOOD[1]),
        (tensor("DT_FLOAT", "a"), GOOD[1]),
        (None, GOOD[1]),
        ([], GOOD[1]),
        (GOOD[0], tensor("DT_FLOAT", -1, -1)),
        (GOOD[0], tensor("DT_FLOAT", -1)),
        (GOOD[0], tensor("DT_STRING", -1, 10)),
        (GOOD[0], {}),
    ],
)
def test_models_that_are_none_of_ours(images, probabilities):
    found = ServedSignatures.parse(None, signatures(images, probabilities))
    with pytest.raises(InputError, match="^it is not a model that tfdpzoo exported: "):
        found.require_classifier("it")


@pytest.mark.parametrize("answer", [None, [], "a", {"serving_default": 1}, {"serving_default": []}])
def test_what_is_no_signature(answer):
    assert ServedSignatures.parse("?", answer).classes is None


@pytest.mark.parametrize("name", ["", "a/b", "a b", "a:b", "../a", "a?b", "a#b", "a%2Fb", "\n"])
def test_names_that_no_server_knows(name):
    with pytest.raises(InputError, match=r"The model's name .* cannot be asked for"):
        ServedModel(name)
    with pytest.raises(InputError, match=r"The label .* cannot be asked for"):
        ServedModel("a", label=name)


def test_one_version_is_asked_for():
    with pytest.raises(InputError, match="a version or a label of the model, not both"):
        ServedModel("a", version=1, label="b")
    with pytest.raises(InputError, match="-1 is not a whole number"):
        ServedModel("a", version=-1)
    assert [str(ServedModel("a")), str(ServedModel("a", label="b"))] == ["a", "a, label b"]
