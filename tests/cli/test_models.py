"""`tfdpzoo register` and `tfdpzoo models`."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stand_in import StandIn, small_model

from tfdpzoo.cli.main import main
from tfdpzoo.model_facts import TrainingFacts
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.saved_model import export
from tfdpzoo.zoo import catalog

Program = Callable[..., Any]
Refused = Callable[..., str]


def _export(
    path: Path, accuracy: float | None, recipe: str, *, updates: int = 20, weakness: str = ""
) -> Path:
    guarantee = PrivacyGuarantee.state(
        segments=[Segment(1.1, 0.1, updates)],
        delta=1e-4,
        clip_norm=1.0,
        examples=1_000,
        expected_batch=100,
        planned_updates=updates,
        target_epsilon=None,
        weaknesses=[weakness] if weakness else [],
        metrics=None if accuracy is None else {"accuracy": accuracy, "loss": 1.0},
    )
    read = catalog.recipe("smoothnet", recipe)
    training = TrainingFacts(
        "smoothnet", recipe, read.to_toml(), read.dataset, 1.0, (), ((1, 0), (0, 1))
    )
    facts = None if accuracy is None else training
    return export(StandIn(small_model()), path, guarantee=guarantee, training=facts)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three versions outside of every registry."""
    folder = tmp_path_factory.mktemp("sources")
    _export(folder / "good" / "1", 0.75, "digits")
    _export(folder / "better" / "1", 0.9, "mnist", updates=40)
    _export(folder / "bare" / "1", None, "digits")
    _export(folder / "invalid" / "1", 0.99, "digits", weakness="the seed was known")
    return folder


@pytest.fixture
def registry(sources: Path, tmp_path: Path, program: Program) -> Path:
    """good:1, good:2 (champion), bare:1 and invalid:1, in the program's folder."""
    models = tmp_path / "saved_models"
    for source, place in (
        ("good", "good/1"),
        ("better", "good/2"),
        ("bare", "bare/1"),
        ("invalid", "invalid/1"),
    ):
        shutil.copytree(sources / source / "1", models / place)
    assert program("models", "alias", "good:2", "champion").code == 0
    assert program("models", "list").code == 0
    return models


def listed(program: Program, *arguments: object) -> list[str]:
    outcome = program("models", "list", "--json", *arguments)
    assert outcome.code == 0, outcome.err
    return [f"{each['name']}:{each['version']}" for each in json.loads(outcome.out)["models"]]


def test_a_model_is_registered_with_an_alias(
    sources: Path, program: Program, tmp_path: Path
) -> None:
    outcome = program("register", sources / "good", "--name", "small", "--alias", "champion")

    assert outcome.code == 0, outcome.err
    assert outcome.out == (
        f"{sources}/good/1 is verified and registered as small:1.\nsmall:1 is small@champion now.\n"
    )
    again = program("register", "small@champion", "--name", "other", "--json")
    assert json.loads(again.out) == {
        "name": "other",
        "version": 1,
        "alias": None,
        "path": "saved_models/other/1",
    }
    assert program("verify", "saved_models/other").code == 0
    assert sorted(os.listdir(tmp_path / "saved_models")) == ["other", "small"]


def test_another_folder_of_models_can_be_given(sources: Path, program: Program) -> None:
    where = ("--models", "elsewhere")
    assert program("register", sources / "good", "--name", "small", *where).code == 0

    assert listed(program, *where) == ["small:1"]
    assert listed(program) == []


def test_what_was_altered_is_not_registered(
    sources: Path, refused: Refused, tmp_path: Path
) -> None:
    shutil.copytree(sources / "good" / "1", tmp_path / "altered")
    index = tmp_path / "altered" / "variables" / "variables.index"
    index.write_bytes(index.read_bytes() + b"x")

    assert refused("register", "altered", "--name", "small") == (
        "altered cannot be registered: The file variables/variables.index was altered: it does not "
        "have the digest in assets.extra/privacy.json."
    )
    index.unlink()
    assert "variables.index is missing" in refused("register", "altered", "--name", "small")
    (tmp_path / "altered" / "assets.extra" / "privacy.json").write_text("{}")
    assert "lacks the digests" in refused("register", "altered", "--name", "small")


def test_an_invalid_guarantee_is_not_registered(sources: Path, refused: Refused) -> None:
    sentence = refused("register", sources / "invalid", "--name", "small")

    assert sentence.endswith("because its guarantee is not valid: the seed was known.")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../up", "'../up'"),
        ("..", "'..'"),
        ("a/b", "'a/b'"),
        ("", "''"),
        ("<b>x</b>", "'<b>x</b>'"),
        ("x" * 200, f"'{'x' * 100}...'"),
        ("a\nb", r"'a\nb'"),
    ],
)
def test_names_that_cannot_be_used_are_refused(
    sources: Path, refused: Refused, name: str, shown: str
) -> None:
    sentence = refused("register", sources / "good", "--name", name)
    assert f"The model name {shown} cannot be used: give up to 100 letters" in sentence
    alias = refused("register", sources / "good", "--name", "small", "--alias", name)
    assert f"The alias name {shown} cannot be used" in alias


def test_names_that_are_no_utf8_are_refused(sources: Path, refused: Refused) -> None:
    broken = os.fsdecode(b"small\xff")

    assert "not valid UTF-8" in refused("register", sources / "good", "--name", broken)
    assert "not valid UTF-8" in refused("register", broken, "--name", "small")
    assert "not valid UTF-8" in refused("models", "show", broken)


def test_the_list_has_every_version_and_its_facts(registry: Path, program: Program) -> None:
    outcome = program("models", "list")
    lines = [line.split() for line in outcome.out.splitlines()]

    assert [line[0] for line in lines] == ["model", "bare:1", "good:1", "good:2", "invalid:1"]
    assert lines[3][1] == "champion"
    assert lines[2][1:8] == ["2.39", "at", "1e-4", "75.00%", "696", "smoothnet", "digits"]
    assert lines[1][4:8] == ["-", "696", "-", "-"]
    assert lines[4][1:3] == ["not", "valid"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--valid",), ["bare:1", "good:1", "good:2"]),
        (("--max-epsilon", "3"), ["bare:1", "good:1"]),
        (("--min-accuracy", "0.8"), ["good:2", "invalid:1"]),
        (("--max-parameters", "695"), []),
        (("--dataset", "mnist"), ["good:2"]),
        (("--dataset", "digits", "--valid"), ["good:1"]),
        (("--sort", "epsilon"), ["bare:1", "good:1", "good:2", "invalid:1"]),
        (("--sort", "accuracy"), ["good:1", "good:2", "invalid:1", "bare:1"]),
        (("--sort", "accuracy", "--reverse"), ["invalid:1", "good:2", "good:1", "bare:1"]),
        (("--reverse",), ["invalid:1", "good:2", "good:1", "bare:1"]),
        (("--sort", "epsilon", "--reverse"), ["good:2", "bare:1", "good:1", "invalid:1"]),
        (("--sort", "parameters"), ["bare:1", "good:1", "good:2", "invalid:1"]),
    ],
)
def test_the_list_is_filtered_and_sorted(
    registry: Path, program: Program, arguments: tuple[str, ...], expected: list[str]
) -> None:
    assert listed(program, *arguments) == expected


def test_filters_that_nothing_can_pass_are_refused(refused: Refused) -> None:
    assert "largest epsilon is -1.0; give 0 or more" in refused(
        "models", "list", "--max-epsilon", "-1"
    )
    assert "largest epsilon is nan" in refused("models", "list", "--max-epsilon", "nan")
    assert "from 0 to 1, such as 0.95" in refused("models", "list", "--min-accuracy", "95")
    assert "parameters is -1" in refused("models", "list", "--max-parameters", "-1")


def test_an_unreadable_version_is_named_and_hides_no_other(
    registry: Path, program: Program
) -> None:
    (registry / "good" / "1" / "assets.extra" / "privacy.json").write_text("{}")

    outcome = program("models", "list")
    fields = json.loads(program("models", "list", "--json").out)

    assert outcome.code == 0
    assert "good:1: assets.extra/privacy.json lacks the digests of the model's" in outcome.out
    assert "good:2" in outcome.out
    (unreadable,) = fields["unreadable"]
    assert (unreadable["name"], unreadable["version"]) == ("good", 1)
    assert "lacks the digests" in unreadable["problem"]


def test_an_empty_registry_says_what_to_do(program: Program, tmp_path: Path) -> None:
    outcome = program("models", "list")

    assert outcome.out == (
        "There are no models in saved_models; `tfdpzoo train` and `register` add some.\n"
    )
    assert json.loads(program("models", "list", "--json").out) == {"models": [], "unreadable": []}
    assert os.listdir(tmp_path) == []


def test_a_list_without_a_match_says_so(registry: Path, program: Program) -> None:
    outcome = program("models", "list", "--max-epsilon", "0.1")
    assert outcome.out == "None of the 4 versions in saved_models is such.\n"


def test_one_version_is_shown(registry: Path, program: Program) -> None:
    outcome = program("models", "show", "good")
    fields = json.loads(program("models", "show", "good@champion", "--json").out)

    assert outcome.code == 0
    assert outcome.out.startswith("good:2\n")
    assert "champion" in outcome.out
    assert "differentially private with epsilon = " in outcome.out
    assert "check them with: tfdpzoo verify saved_models/good/2" in outcome.out
    assert (fields["name"], fields["version"], fields["aliases"]) == ("good", 2, ["champion"])
    assert fields["accuracy"] == 0.9
    assert fields["problem"] is None
    assert fields["sentence"].startswith("The final weights of this model are differentially")


def test_an_invalid_version_is_shown_as_what_it_is(registry: Path, program: Program) -> None:
    assert (
        "Not a valid privacy guarantee. Reason: the seed was known."
        in program("models", "show", "invalid").out
    )


def test_two_versions_are_compared(registry: Path, program: Program) -> None:
    outcome = program("models", "compare", "good:1", "good:2")
    fields = json.loads(program("models", "compare", "good:1", "saved_models/good/2", "--json").out)
    rows = {line[:27].strip(): line for line in outcome.out.splitlines()}
    facts = {each["name"]: each for each in fields["facts"]}

    assert outcome.code == 0
    assert "75.00%" in rows["accuracy"]
    assert "<>" in rows["accuracy"]
    assert "<>" not in rows["parameters"]
    assert facts["privacy.epochs"]["differs"] is True
    assert facts["privacy.epochs"]["first"] == catalog.recipe("smoothnet", "digits").privacy.epochs
    assert facts["updates executed"] == {
        "name": "updates executed",
        "first": 20,
        "second": 40,
        "differs": True,
    }
    assert facts["weights"]["differs"] is False
    differing = sum(each["differs"] for each in fields["facts"])
    assert f"{differing} of {len(facts)} facts differ" in outcome.out


def test_an_invalid_guarantee_has_no_epsilon_to_compare(registry: Path, program: Program) -> None:
    fields = json.loads(program("models", "compare", "good:1", "invalid", "--json").out)
    facts = {each["name"]: each for each in fields["facts"]}

    assert facts["guarantee"]["second"] == "not valid"
    assert facts["epsilon"]["second"] is None


def test_aliases_are_set_moved_and_removed(registry: Path, program: Program) -> None:
    moved = program("models", "alias", "good:1", "champion")
    newest = program("models", "alias", "good", "newest", "--json")
    removed = program("models", "alias", "good", "champion", "--remove")

    assert moved.out == "good:1 is good@champion now.\n"
    assert json.loads(newest.out) == {
        "name": "good",
        "alias": "newest",
        "version": 2,
        "removed": False,
    }
    assert removed.out == "good has no alias champion any more.\n"
    fields = json.loads(program("models", "list", "--json").out)["models"]
    assert [each["aliases"] for each in fields] == [[], [], ["newest"], []]


def test_a_version_is_removed_once_no_alias_stands_for_it(
    registry: Path, program: Program, refused: Refused
) -> None:
    assert "Version 2 of good is champion; let the alias stand for another" in refused(
        "models", "remove", "good:2", "--yes"
    )
    assert program("models", "alias", "good:1", "champion").code == 0
    outcome = program("models", "remove", "good:2", "--yes")

    assert outcome.out == "good:2 is removed; its number is not used again.\n"
    assert listed(program) == ["bare:1", "good:1", "invalid:1"]
    again = program("register", "good:1", "--name", "good", "--json")
    assert json.loads(again.out)["version"] == 3


def test_removing_needs_a_yes(
    registry: Path, program: Program, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cannot be undone; give --yes" in refused("models", "remove", "good:1")

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "n")
    outcome = program("models", "remove", "good:1")
    assert (outcome.code, outcome.err.splitlines()[-1]) == (130, "Stopped.")
    assert (registry / "good" / "1").is_dir()

    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "y")
    assert program("models", "remove", "good:1").code == 0
    assert not (registry / "good" / "1").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", "god"), "no model in saved_models named 'god'; did you mean 'good'?"),
        (("show", "good:7"), "The model good in saved_models has no version 7; it has 1, 2."),
        (("show", "good@champ"), "no alias of good named 'champ'; did you mean 'champion'?"),
        (("show", "bare@champion"), "The model bare has no aliases, so none named 'champion'."),
        (("show", ""), "The model name '' cannot be used"),
        (("show", "../.."), "holds neither a SavedModel"),
        (("show", "<i>good</i>"), "There is no folder <i>good</i>"),
        (("compare", "good", "god"), "did you mean 'good'?"),
        (("compare", "good"), "Missing argument 'B'"),
        (("alias", "good:7", "x"), "has no version 7"),
        (("alias", "good", "a/b"), "The alias name 'a/b' cannot be used"),
        (("alias", "good", "champ", "--remove"), "did you mean 'champion'?"),
        (("alias", "good:2", "champion", "--remove"), "from a model: give good alone"),
        (
            ("remove", "good", "--yes"),
            "does not say which version; give its number, such as",
        ),
        (("remove", "good@champion", "--yes"), "does not say which version"),
        (("remove", "saved_models/good/1", "--yes"), "The model name 'saved_models/good/1'"),
        (("remove", "good:7", "--yes"), "has no version 7; it has 1, 2."),
        (("lst",), "Did you mean 'list'"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    registry: Path, refused: Refused, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refused("models", *arguments)


def test_a_registered_model_is_evaluated_by_its_name(registry: Path, refused: Refused) -> None:
    assert "The model takes images of shape 8 x 8 x 3" in refused(
        "evaluate", "good@champion", "--dataset", "digits"
    )


def test_unknown_architectures_point_to_the_trained_models(refused: Refused) -> None:
    assert refused("show", "smothnet").endswith(
        "Trained models are listed by `tfdpzoo models list`."
    )


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("list", "show", "compare", "alias", "remove"):
        assert main(["models", command, "--help"]) == 0
        assert f"tfdpzoo models {command}" in capsys.readouterr().out
    assert main(["register", "--help"]) == 0
    assert "--alias champion" in capsys.readouterr().out
