"""Files are replaced as a whole, whatever fails and whenever."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
from pathlib import Path

import pytest
from noted_steps import note_steps

from tfdpzoo.durable_file import replace_durably, replacing


def test_the_new_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"old", b"new"):
        replace_durably(path, content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["file"]


def test_its_owner_alone_may_read_it(tmp_path: Path) -> None:
    replace_durably(tmp_path / "file", b"secret")

    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


@pytest.mark.parametrize("call", ["fsync", "rename", "open"])
def test_a_full_disk_leaves_the_old_content(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    replace_durably(path, b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, full)
        with pytest.raises(OSError, match="No space left"):
            replace_durably(path, b"new")

    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_write_that_the_kernel_cuts_off_leaves_the_old_content(tmp_path: Path) -> None:
    """A real limit on the size of files, which ends a write in its middle."""
    path = tmp_path / "file"
    replace_durably(path, b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(OSError, match="File too large"):
            replace_durably(path, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)

    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_an_error_of_the_writer_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_durably(path, b"old")

    with pytest.raises(KeyboardInterrupt), replacing(path) as stream:
        stream.write(b"half of the new")
        raise KeyboardInterrupt

    assert path.read_bytes() == b"old"


def test_content_is_on_the_disk_before_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = note_steps(monkeypatch, os, "rename")
    replace_durably(tmp_path / "file", b"content")

    assert steps == ["file.new", "rename", tmp_path.name]
