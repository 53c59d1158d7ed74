"""A version appears as a whole, under a number that nobody has or had."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from noted_steps import note_steps

from tfdpzoo import version_writing
from tfdpzoo.errors import InputError
from tfdpzoo.version_folder import check_destination
from tfdpzoo.version_number import (
    VersionTakenError,
    free_version,
    next_version,
    remember_removed,
    removed_versions,
    versions,
    was_removed,
)
from tfdpzoo.version_writing import (
    model_locked,
    publish,
    publish_next,
    rename_without_replacing,
    staged,
)


def write(folder: Path, text: str = "content") -> None:
    (folder / "variables").mkdir()
    (folder / "variables" / "data").write_text(text)


def test_a_version_appears_and_nothing_else_stays(tmp_path: Path) -> None:
    model = tmp_path / "models" / "small"
    with staged(model) as folder:
        write(folder)
        assert versions(model) == {}
        publish(folder, model / "3")
    with staged(model) as folder:
        write(folder)
        assert publish_next(folder, model) == model / "4"

    assert sorted(os.listdir(model)) == ["3", "4"]
    assert (model / "4" / "variables" / "data").read_text() == "content"


def test_a_relative_path_is_one_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with staged(Path("small")) as folder:
        write(folder)
        assert publish_next(folder, Path("small")) == Path("small/1")

    assert os.listdir(tmp_path / "small") == ["1"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), staged(tmp_path / "models" / "small") as folder:
        write(folder)
        raise error

    assert os.listdir(tmp_path) == []


def test_a_number_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "small" / "1").mkdir(parents=True)
    remember_removed(tmp_path / "small", 2)
    for number in (1, 2):
        with (
            pytest.raises(VersionTakenError, match=rf"{number} exists already or was removed"),
            staged(tmp_path / "small") as folder,
        ):
            write(folder)
            publish(folder, tmp_path / "small" / str(number))

    assert os.listdir(tmp_path / "small" / "1") == []
    assert versions(tmp_path / "small") == {1: tmp_path / "small" / "1"}


def test_an_empty_folder_of_somebody_else_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made after the number was looked up, by a program that knows no lock."""
    model = tmp_path / "small"
    looked = version_writing.next_version
    taken = iter((True, False))

    def overtaken(folder: Path) -> int:
        number = looked(folder)
        if next(taken):
            (model / str(number)).mkdir()
        return number

    monkeypatch.setattr(version_writing, "next_version", overtaken)
    with staged(model) as folder:
        write(folder)
        assert publish_next(folder, model) == model / "2"

    assert os.listdir(model / "1") == []


@pytest.fixture(params=["renameat2", "a file system without it", "a C library without it"])
def rename(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path, Path], None]:
    class Library:
        @staticmethod
        def renameat2(*_: object) -> int:
            ctypes.set_errno(errno.EINVAL)
            return -1

    if request.param != "renameat2":
        library = Library() if "system" in request.param else object()
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: library)
    return rename_without_replacing


def test_renaming_replaces_nothing(tmp_path: Path, rename: Callable[[Path, Path], None]) -> None:
    source = tmp_path / "source ü"
    source.mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for taken in ("empty", "file", "link"):
        with pytest.raises(FileExistsError):
            rename(source, tmp_path / taken)
    rename(source, tmp_path / "free")

    assert sorted(os.listdir(tmp_path)) == ["empty", "file", "free", "link"]
    with pytest.raises(FileNotFoundError):
        rename(source, tmp_path / "other")


def test_numbers_of_removed_versions_are_not_free(tmp_path: Path) -> None:
    model = tmp_path / "small"
    assert next_version(model) == 1
    (model / "1").mkdir(parents=True)
    remember_removed(model, 7)

    assert (next_version(model), removed_versions(model)) == (8, {7})
    assert was_removed(model / "7")
    assert not was_removed(model / "name")
    assert free_version(model / "7") == free_version(model / "1") == model / "8"
    assert free_version(model / "9") == model / "9"
    with pytest.raises(InputError, match=r"7 was removed .* not used again; the next .* is 8\.$"):
        check_destination(model / "7")


def test_leftovers_of_the_dead_go_and_work_of_the_living_stays(tmp_path: Path) -> None:
    unfinished = tmp_path / ".versions" / "unfinished"
    for name in ("dead", "living", "without-lock"):
        (unfinished / name).mkdir(parents=True)
        (unfinished / name / "file").touch()
    (unfinished / "dead.lock").touch()
    with open(unfinished / "living.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with staged(tmp_path) as folder:
            write(folder)
            publish_next(folder, tmp_path)
        assert sorted(os.listdir(unfinished)) == ["living", "living.lock"]
    with staged(tmp_path):
        pass

    assert os.listdir(tmp_path) == ["1"]


def test_one_at_a_time_holds_the_lock(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def hold(number: int) -> None:
        for _ in range(50):
            with model_locked(tmp_path / "model"):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(most), max(most)) == (200, 1)
    assert os.listdir(tmp_path / "model") == []


def test_files_are_on_the_disk_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staged(tmp_path / "models" / "small") as folder:
        write(folder)
        steps = note_steps(monkeypatch, version_writing, "rename_without_replacing")
        publish(folder, tmp_path / "models" / "small" / "1")

    assert steps == [folder.name, "data", "variables", "rename", "small", "models"] or steps == [
        folder.name,
        "variables",
        "data",
        "rename",
        "small",
        "models",
    ]


def test_a_lock_that_can_never_be_had_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if another process tidied it away again and again."""

    def gone(*_: object, **__: object) -> int:
        raise FileNotFoundError

    with contextlib.ExitStack() as stack:
        patched = stack.enter_context(monkeypatch.context())
        patched.setattr(os, "open", gone)
        stack.enter_context(pytest.raises(OSError, match="Device or resource busy"))
        with model_locked(tmp_path / "model"):
            pass
