"""Removal: at once, not under an alias, and the number stays taken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.registry.aliases import remove_alias, set_alias
from tfdpzoo.registry.removal import remove_version
from tfdpzoo.version_number import next_version, versions


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for version in ("1", "2"):
        (tmp_path / "small" / version).mkdir(parents=True)
        (tmp_path / "small" / version / "file").touch()
    return tmp_path / "small"


def test_the_number_of_a_removed_version_is_not_used_again(model: Path) -> None:
    remove_version(model, 2)

    assert list(versions(model)) == [1]
    assert next_version(model) == 3
    assert os.listdir(model / ".versions" / "removed") == ["2"]


def test_a_version_with_an_alias_stays(model: Path) -> None:
    set_alias(model, "champion", 2)
    set_alias(model, "best", 2)
    with pytest.raises(InputError, match="Version 2 of small is best and champion; let the alias"):
        remove_version(model, 2)
    assert (model / "2" / "file").exists()
    remove_alias(model, "champion")
    remove_alias(model, "best")
    remove_version(model, 2)

    assert list(versions(model)) == [1]


def test_a_version_that_does_not_exist_is_refused(model: Path) -> None:
    with pytest.raises(InputError, match=r"The model small has no version 7\.$"):
        remove_version(model, 7)
    assert sorted(os.listdir(model)) == ["1", "2"]


def test_what_a_link_leads_to_is_not_deleted(model: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (model / "3").symlink_to(tmp_path / "kept")
    remove_version(model, 3)

    assert (tmp_path / "kept" / "file").exists()
    assert not os.path.lexists(model / "3")


def test_a_version_that_cannot_be_moved_stays(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr("tfdpzoo.registry.removal.rename_without_replacing", refused)
    with pytest.raises(InputError, match=r"Version 2 of small cannot be removed: Permission den"):
        remove_version(model, 2)
    assert (model / "2" / "file").exists()
