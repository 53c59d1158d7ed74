"""References: how they are read, and what they lead to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfdpzoo.errors import InputError
from tfdpzoo.registry.aliases import set_alias
from tfdpzoo.registry.location import locate, model_names
from tfdpzoo.registry.reference import ModelReference, is_name, require_name


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    models = tmp_path / "saved_models"
    for version in ("1", "2", "10"):
        (models / "small" / version).mkdir(parents=True)
        (models / "small" / version / "saved_model.pb").touch()
    (models / "removed" / ".versions" / "removed").mkdir(parents=True)
    (models / ".hidden").mkdir()
    (models / "index.json").touch()
    set_alias(models / "small", "champion", 2)
    return models


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("small", "10"),
        ("small:1", "1"),
        ("small@champion", "2"),
        ("saved_models/small", "10"),
        ("saved_models/small/2", "2"),
        ("./saved_models/small/2/", "2"),
    ],
)
def test_what_is_typed_leads_to_a_version(models: Path, text: str, version: str) -> None:
    assert locate(text, models).resolve() == models / "small" / version


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("smal", "no model in .*saved_models named 'smal'; did you mean 'small'?"),
        ("small:3", r"small in .* has no version 3; it has 1, 2, 10\.$"),
        ("small:x", r"'small:x' names the version 'x'; a version is a whole number from 1"),
        ("small:0", "names the version '0'"),
        ("small:1:2", "names the version '1:2'"),
        ("small:" + "9" * 30, "a version is a whole number"),
        ("small@champ", "no alias of small named 'champ'; did you mean 'champion'"),
        ("small@", "The alias name '' cannot be used"),
        ("small@a@b", "The alias name 'a@b' cannot be used"),
        ("removed", r"The model removed in .* has no versions\.$"),
        ("removed@x", "The model removed has no aliases, so none named 'x'"),
        ("", "The model name '' cannot be used"),
        ("..:1", r"The model name '\.\.' cannot be used"),
        (".hidden", r"There is no folder|holds neither|cannot be used"),
        ("<b>", "The model name '<b>' cannot be used"),
        ("<script>alert(1)</script>", "There is no folder <script>"),
        ("../../etc", "There is no folder|holds neither"),
        ("a" * 300, r"The model name 'a{100}\.\.\.' cannot be used"),
        ("a/" + "b" * 300, "There is no folder a/b"),
        ("small\n:1", "The model name"),
        ("small\x00", "The model name"),
        (os.fsdecode(b"small\xff"), "which is not valid UTF-8"),
    ],
)
def test_what_leads_nowhere_is_one_sentence(models: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        locate(text, models)
    assert "\n" not in str(caught.value)


def test_an_empty_registry_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There are no models in .*, so none named 'small'"):
        locate("small", tmp_path / "none")
    assert model_names(tmp_path / "none") == []


def test_folders_that_are_no_models_have_no_names(models: Path) -> None:
    assert model_names(models) == ["removed", "small"]


@given(st.text(max_size=120))
def test_a_name_is_one_part_of_a_path_or_refused(name: str) -> None:
    if not is_name(name):
        with pytest.raises(InputError):
            require_name("model", name)
        return
    assert require_name("model", name) == name
    assert Path(name).parts == (name,)
    assert name.isascii()
    assert not name.startswith(".")


@given(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
    st.integers(1, 10**18 - 1) | st.none(),
)
def test_a_reference_reads_back(name: str, version: int | None) -> None:
    reference = ModelReference(name, version)
    assert ModelReference.parse(str(reference)) == reference
