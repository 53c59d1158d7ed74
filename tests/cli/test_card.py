"""`tfdpzoo card` and `tfdpzoo gallery`."""

from __future__ import annotations

import json
import shutil

import card_models
import pytest
from stand_in import StandIn

from tfdpzoo.registry.aliases import set_alias
from tfdpzoo.saved_model import export


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    card_models.export_full(folder / "full" / "1")
    export(StandIn(), folder / "other" / "1")
    return folder


@pytest.fixture
def models(exported, tmp_path):
    """The registry where the program looks for it."""
    return shutil.copytree(exported, tmp_path / "saved_models")


def test_a_card_in_markdown(models, program, tmp_path):
    set_alias(models / "full", "champion", 1)
    outcome = program("card", "full@champion", "--license", "apache-2.0")
    assert outcome.code == 0, outcome.err
    assert "The card of full:1 is in full-1-card/README.md." in outcome.out
    text = (tmp_path / "full-1-card" / "README.md").read_text()
    assert "license: apache-2.0" in text
    assert "Aliases: champion." in text
    assert "saved_models/full/1" in text
    assert (tmp_path / "full-1-card" / "architecture.svg").is_file()


def test_a_card_in_html(models, program, tmp_path):
    outcome = program(
        "card", models / "full", "--format", "html", "--out", "new/card.html", "--json"
    )
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["path"] == "new/card.html"
    assert json.loads(outcome.out)["valid"] is True
    text = (tmp_path / "new" / "card.html").read_text()
    # The zoo's own card of the architecture is taken in.
    assert "The head looks at positions" in text
    assert {each.name for each in (tmp_path / "new").iterdir()} == {"card.html"}


def test_no_such_model(models, refused):
    assert refused("card", "fulll") == (
        "There is no model in saved_models named 'fulll'; did you mean 'full'? Known: full, other."
    )
    assert "has no version 7" in refused("card", "full:7")
    assert "The model full has no aliases" in refused("card", "full@best")
    assert "cannot be used" in refused("card", "<b>")


def test_a_damaged_record_is_refused(models, refused):
    record = models / "full" / "1" / "assets.extra" / "privacy.json"
    record.write_text(record.read_text().replace('"executed": 20', '"executed": 19'))
    assert "saved_models/full/1 is not intact" in refused("card", "full")
    record.write_text("{}")
    assert "saved_models/full/1 is not intact" in refused("card", "full")


def test_what_is_there_is_not_overwritten(models, refused, tmp_path):
    (tmp_path / "card.html").touch()
    assert "never overwritten" in refused("card", "full", "--format", "html", "--out", "card.html")
    (tmp_path / "full-1-card").mkdir()
    assert "never overwritten" in refused("card", "full")


def test_a_gallery(models, program, tmp_path):
    (models / "other" / "1" / "saved_model.pb").write_bytes(b"")
    outcome = program("gallery")
    assert outcome.code == 0, outcome.err
    assert "1 model is in gallery/index.html." in outcome.out
    assert "Not shown: other:1." in outcome.out
    outcome = program("gallery", "--json")
    found = json.loads(outcome.out)
    assert found["models"][0]["page"] == "models/full-1.html"
    assert "was altered" in found["models"][1]["problem"]


def test_a_folder_that_is_no_gallery_is_refused(models, refused, tmp_path):
    assert "is no gallery" in refused("gallery", "--out", models)
    assert "There is no folder nowhere" in refused("gallery", "--models", "nowhere")
