"""What a card is made of."""

from __future__ import annotations

import json
import shutil

import card_models
import pytest

from tfdpzoo.cards.context import read_card
from tfdpzoo.errors import InputError
from tfdpzoo.version_folder import read_privacy_file, write_privacy_file


def test_the_facts_of_a_model(full):
    assert (full.name, full.version, full.title) == ("full", 3, "full:3")
    assert full.aliases == ("champion",)
    assert full.accuracy == 0.75
    assert full.class_names == card_models.CLASS_NAMES
    assert full.training.recipe == "small"


def test_classes_without_names_have_numbers(invalid):
    assert invalid.class_names == ("class 0", "class 1", "class 2", "class 3")
    assert invalid.accuracy is None


def test_a_model_that_tells_nothing(silent):
    assert silent.facts is None
    assert silent.training is None
    assert silent.class_names == ()


def test_an_altered_model_has_no_card(models, tmp_path):
    copy = shutil.copytree(models / "full" / "3", tmp_path / "copy")
    with open(copy / "assets.extra" / "model.json", "a") as stream:
        stream.write(" ")
    with pytest.raises(InputError, match=r"is not intact: The file assets.extra/model.json was"):
        read_card(copy)


@pytest.mark.parametrize(
    ("classes", "problem"),
    [(["a"], "has 1 names for 4 classes"), ({"a": 1}, "is not a list of names")],
)
def test_class_names_that_do_not_fit_are_refused(models, tmp_path, classes, problem):
    copy = shutil.copytree(models / "full" / "3", tmp_path / "copy")
    record = read_privacy_file(copy)
    (copy / "assets.extra" / "classes.json").write_text(json.dumps(classes))
    write_privacy_file(copy, record.guarantee)
    with pytest.raises(InputError, match=problem):
        read_card(copy)


def test_there_is_no_such_model(tmp_path):
    with pytest.raises(InputError, match="There is no folder"):
        read_card(tmp_path / "none")
