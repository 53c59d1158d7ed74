"""Registration: what is verified is what is registered, and everything else is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf
from stand_in import StandIn, guarantee_with

from tfdpzoo.errors import InputError
from tfdpzoo.registry import registration
from tfdpzoo.registry.registration import register
from tfdpzoo.saved_model import export
from tfdpzoo.verification import verify
from tfdpzoo.version_folder import file_digests


def test_a_copy_is_registered_and_verifies(exported: Path, models: Path) -> None:
    first = register(exported, "small", models)
    second = register(exported.parent, "small", models)

    assert (first, second) == (models / "small" / "1", models / "small" / "2")
    assert file_digests(first) == file_digests(exported)
    assert (first / "assets.extra" / "privacy.json").read_bytes() == (
        exported / "assets.extra" / "privacy.json"
    ).read_bytes()
    assert verify(first).ok
    assert sorted(os.listdir(models / "small")) == ["1", "2"]


def test_a_version_of_the_registry_is_registered_under_another_name(
    exported: Path, models: Path
) -> None:
    path = register(register(exported, "small", models), "production", models)

    assert path == models / "production" / "1"


def test_links_are_followed(exported: Path, models: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    shutil.copytree(exported, linked)
    shutil.move(linked / "variables", tmp_path / "elsewhere")
    (linked / "variables").symlink_to(tmp_path / "elsewhere")

    path = register(linked, "small", models)

    assert not (path / "variables").is_symlink()
    shutil.rmtree(tmp_path / "elsewhere")
    assert verify(path).ok


def test_the_copy_is_verified_and_not_the_source(
    exported: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source is altered while it is copied: what is registered would not be what was seen."""
    copy = registration._copy

    def overtaken(source: Path, target: Path) -> None:
        copy(source, target)
        if target.name == "variables":
            (target / "variables.index").write_bytes(b"altered")

    monkeypatch.setattr(registration, "_copy", overtaken)
    with pytest.raises(InputError, match=r"The file variables/variables\.index was altered"):
        register(exported, "small", models)
    assert not models.exists()


def _flip(name: str) -> Callable[[Path], None]:
    def flip(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(bytes(content))

    return flip


def _delete(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _lower_epsilon(folder: Path) -> None:
    path = folder / "assets.extra" / "privacy.json"
    path.write_text(path.read_text().replace('"epsilon": 2.38', '"epsilon": 1.38'))


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "assets" / "pipe")


def _loop(folder: Path) -> None:
    (folder / "assets" / "loop").symlink_to(folder)


@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (_flip("variables/variables.data-00000-of-00001"), "data-00000-of-00001 was altered"),
        (_flip("saved_model.pb"), r"saved_model\.pb was altered"),
        (_flip("assets.extra/model.json"), r"model\.json was altered"),
        (_delete("variables/variables.index"), r"variables\.index is missing"),
        (_delete("saved_model.pb"), r"saved_model\.pb is missing"),
        (_delete("assets.extra/privacy.json"), r"There is no assets\.extra/privacy\.json"),
        (lambda folder: (folder / "stranger").touch(), "stranger was added"),
        (_lower_epsilon, "epsilon"),
        (_pipe, "pipe is neither a file nor a folder"),
        (_loop, "loop is a link to a folder that it lies in"),
        (lambda folder: (folder / os.fsdecode(b"\xff")).touch(), "is not valid UTF-8"),
    ],
)
def test_what_was_altered_is_refused_and_nothing_is_left(
    exported: Path, models: Path, tmp_path: Path, alter: Callable[[Path], None], reason: str
) -> None:
    source = tmp_path / "source"
    shutil.copytree(exported, source)
    alter(source)

    with pytest.raises(InputError, match=reason) as caught:
        register(source, "small", models)

    assert "\n" not in str(caught.value)
    assert not models.exists()


def test_a_foreign_saved_model_is_refused(models: Path, tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path / "foreign"))

    with pytest.raises(InputError, match="foreign cannot be registered: There is no") as caught:
        register(tmp_path / "foreign", "small", models)

    assert "privacy.json" in str(caught.value)
    assert not models.exists()


def test_a_guarantee_that_is_not_valid_is_refused(models: Path, tmp_path: Path) -> None:
    guarantee = guarantee_with(weaknesses=["the noise was drawn from a known seed"])
    path = export(StandIn(), tmp_path / "leaky", guarantee=guarantee)

    with pytest.raises(InputError, match="guarantee is not valid: the noise was drawn from a kno"):
        register(path, "small", models)

    assert not models.exists()


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "<b>x</b>", ".x", "x" * 101, "a b"])
def test_a_name_that_cannot_be_used_is_refused(exported: Path, models: Path, name: str) -> None:
    with pytest.raises(InputError, match="The model name .* cannot be used"):
        register(exported, name, models)
    assert not models.exists()


def test_a_full_disk_leaves_nothing(
    exported: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(InputError, match=r"cannot be copied to .*: No space left on device\.$"):
        register(exported, "small", models)
    assert not models.exists()


def test_other_weights_do_not_disturb_earlier_versions(
    exported: Path, better: Path, models: Path
) -> None:
    first = register(exported, "small", models)
    before = file_digests(first)
    register(better, "small", models)

    assert file_digests(first) == before
