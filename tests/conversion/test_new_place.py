"""What is written appears as a whole or not at all, and never in the place of another."""

from __future__ import annotations

import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tfdpzoo.conversion.new_place import appearing
from tfdpzoo.errors import InputError


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """The kernel fails every write beyond that, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def refused(sentence: str) -> AbstractContextManager[object]:
    return pytest.raises(InputError, match=sentence)


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "model.onnx"

    with appearing(path) as place:
        place.write_bytes(b"model")
        assert place.suffix == ".onnx"
        assert not path.exists()

    assert [each.name for each in path.parent.iterdir()] == ["model.onnx"]
    assert path.read_bytes() == b"model"
    # Others may read it, as the process's umask says: it is made to be given away.
    (tmp_path / "other").write_bytes(b"")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    with appearing(tmp_path / "small" / "1") as place:
        (place / "variables").mkdir(parents=True)
        (place / "variables" / "index").write_bytes(b"index")

    assert (tmp_path / "small" / "1" / "variables" / "index").read_bytes() == b"index"
    assert [each.name for each in (tmp_path / "small").iterdir()] == ["1"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_nothing_is_left_of_what_fails(nothing_left: Path, kind: str) -> None:
    with (
        pytest.raises(RuntimeError, match="converter"),
        appearing(nothing_left / "new" / "model.onnx") as place,
    ):
        if kind == "folder":
            place.mkdir()
            place = place / "part"
        place.write_bytes(b"half of a mod")
        raise RuntimeError("converter")


def test_a_full_disk_is_told(nothing_left: Path) -> None:
    path = nothing_left / "new" / "model.onnx"
    sentence = f"{path} cannot be written: {os.strerror(errno.EFBIG)}."

    with pytest.raises(InputError) as refusal, files_up_to(1000), appearing(path) as place:
        place.write_bytes(bytes(2000))

    assert str(refusal.value) == sentence


def test_what_exists_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"another")

    with (
        pytest.raises(InputError, match="exists already and is never overwritten"),
        appearing(path),
    ):
        raise AssertionError("nothing may be done in vain")

    assert path.read_bytes() == b"another"


@pytest.mark.parametrize("links", [True, False])
def test_what_appears_meanwhile_is_kept(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    if not links:
        monkeypatch.setattr(os, "link", _without_links)

    with (
        pytest.raises(InputError, match="exists already and is never overwritten"),
        appearing(path) as place,
    ):
        place.write_bytes(b"model")
        path.write_bytes(b"another")

    assert path.read_bytes() == b"another"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "1"

    with (
        pytest.raises(InputError, match=f"{path} cannot be written: Directory not empty"),
        appearing(path) as place,
    ):
        place.mkdir()
        path.mkdir()
        (path / "another").write_bytes(b"")

    assert list(tmp_path.rglob("*")) == [path, path / "another"]


def test_file_systems_without_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", _without_links)

    with appearing(tmp_path / "model.onnx") as place:
        place.write_bytes(b"model")

    assert (tmp_path / "model.onnx").read_bytes() == b"model"


def test_a_folder_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with (
        pytest.raises(InputError, match="cannot be written: the folder .*file refuses it"),
        appearing(tmp_path / "file" / "model.onnx"),
    ):
        pass


def _without_links(source: Path, destination: Path) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))
