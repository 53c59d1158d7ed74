"""What a person may name, and which model that is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from stand_in import StandIn

from tfdpzoo.errors import InputError
from tfdpzoo.registry.aliases import set_alias
from tfdpzoo.saved_model import export
from tfdpzoo.verification import verify


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with two versions of one model."""
    folder = tmp_path_factory.mktemp("registry")
    export(StandIn(), folder / "small" / "1")
    shutil.copytree(folder / "small" / "1", folder / "small" / "2")
    set_alias(folder / "small", "champion", 1)
    return folder


@pytest.mark.parametrize(
    ("reference", "version"), [("small", "2"), ("small:1", "1"), ("small@champion", "1")]
)
def test_references_are_looked_up_in_the_registry(
    models: Path, reference: str, version: str
) -> None:
    report = verify(reference, models=models)
    assert report.ok
    assert report.path == models / "small" / version
    assert report.subject == str(models / "small" / version)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("smal", "There is no model in .* named 'smal'; did you mean 'small'?"),
        ("small:3", "has no version 3"),
        ("small@best", "best"),
        ("sm all", "cannot be used"),
        ("nowhere/small", "There is no folder nowhere/small"),
        ("small.zip", "small.zip cannot be unpacked: No such file or directory"),
    ],
)
def test_what_is_not_there_is_refused(models: Path, target: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        verify(target, models=models)
