"""Aliases: set, read, removed, and what is no alias."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.registry.aliases import (
    aliased_version,
    aliases_of,
    read_aliases,
    remove_alias,
    set_alias,
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for version in ("1", "2"):
        (tmp_path / "small" / version).mkdir(parents=True)
    return tmp_path / "small"


def test_an_alias_moves_from_version_to_version(model: Path) -> None:
    assert read_aliases(model) == {}
    set_alias(model, "champion", 1)
    set_alias(model, "archive", 1)
    set_alias(model, "champion", 2)

    assert read_aliases(model) == {"archive": 1, "champion": 2}
    assert aliased_version(model, "champion") == 2
    assert aliases_of(model, 1) == ("archive",)


def test_removing_the_last_leaves_nothing(model: Path) -> None:
    set_alias(model, "champion", 2)
    assert remove_alias(model, "champion") == 2

    assert sorted(os.listdir(model)) == ["1", "2"]
    with pytest.raises(InputError, match="small has no aliases, so none named 'champion'"):
        remove_alias(model, "champion")


def test_an_unknown_alias_names_the_nearest(model: Path) -> None:
    set_alias(model, "champion", 2)
    with pytest.raises(InputError, match="no alias of small named 'champ'; did you mean 'champion"):
        aliased_version(model, "champ")


def test_a_version_that_does_not_exist_gets_no_alias(model: Path) -> None:
    with pytest.raises(InputError, match=r"The model small has no version 3\.$"):
        set_alias(model, "champion", 3)
    assert sorted(os.listdir(model)) == ["1", "2"]


@pytest.mark.parametrize("alias", ["", "../x", "a/b", ".hidden", "<b>", "ü", "a" * 101, "x\ny"])
def test_names_that_cannot_be_files_are_refused(model: Path, alias: str) -> None:
    with pytest.raises(InputError, match="The alias name .* cannot be used") as caught:
        set_alias(model, alias, 1)
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(model)) == ["1", "2"]


def test_leftovers_of_a_crash_are_no_aliases_and_go(model: Path) -> None:
    set_alias(model, "champion", 2)
    leftover = model / ".aliases" / ".champion.0123.new"
    leftover.write_text("1")
    (model / ".aliases" / "folder").mkdir()

    assert read_aliases(model) == {"champion": 2}
    set_alias(model, "champion", 1)
    assert not leftover.exists()


def test_a_damaged_alias_is_named_and_can_be_mended(model: Path) -> None:
    set_alias(model, "champion", 2)
    (model / ".aliases" / "champion").write_text("two")
    with pytest.raises(InputError, match=r"The alias .*champion is damaged; set it again\.$"):
        read_aliases(model)
    assert remove_alias(model, "champion") == 0
    set_alias(model, "champion", 1)
    (model / ".aliases" / "champion").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"champion cannot be read; set it again\.$"):
        aliased_version(model, "champion")


def test_others_may_read_aliases(model: Path) -> None:
    umask = os.umask(0o022)
    try:
        set_alias(model, "champion", 1)
    finally:
        os.umask(umask)
    assert stat.S_IMODE((model / ".aliases" / "champion").stat().st_mode) == 0o644
