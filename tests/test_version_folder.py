"""Where a version may be written, and what binds it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfdpzoo.errors import InputError
from tfdpzoo.version_folder import (
    check_destination,
    file_digests,
    find_version,
    next_version,
    weights_digest,
)


@contextlib.contextmanager
def ordinary_user():
    """Permissions do not bind root; tests in a container run as root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def read_only_folder():
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_new_path_is_accepted_and_nothing_is_made(tmp_path):
    check_destination(tmp_path / "models" / "smoothnet" / "1")
    check_destination(str(tmp_path / "1"))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_version_is_never_overwritten(tmp_path):
    (tmp_path / "3").mkdir()
    with pytest.raises(InputError, match="3 exists already and is never overwritten; the next "):
        check_destination(tmp_path / "3")
    with pytest.raises(InputError, match=r"the next free version is 4\.$"):
        check_destination(tmp_path / "3")
    (tmp_path / "name").write_text("")
    with pytest.raises(InputError, match=r"name exists already .*; choose another path\.$"):
        check_destination(tmp_path / "name")
    (tmp_path / "5").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="5 exists already"):
        check_destination(tmp_path / "5")


def test_a_read_only_folder_is_refused(read_only_folder):
    with ordinary_user(), pytest.raises(InputError) as caught:
        check_destination(read_only_folder / "smoothnet" / "1")
    assert str(caught.value) == (
        f"{read_only_folder}/smoothnet/1 cannot be written: the folder {read_only_folder} refuses "
        "it (Permission denied)."
    )


def test_a_path_that_is_no_utf8_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"small\?/1', which is not valid UTF-8"):
        check_destination(tmp_path / os.fsdecode(b"small\xff") / "1")


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file refuses it \(Not a directory\)\.$"):
        check_destination(tmp_path / "file" / "1")


def test_versions_are_numbers_in_order(tmp_path):
    assert next_version(tmp_path / "none") == next_version(tmp_path) == 1
    for name in ("2", "10", "x", ".11.part"):
        (tmp_path / name).mkdir()
    (tmp_path / "12").write_text("a file is not a version, but in its way")
    (tmp_path / "13").symlink_to(tmp_path / "nowhere")
    assert next_version(tmp_path) == 14
    assert find_version(tmp_path) == tmp_path / "10"
    (tmp_path / "2" / "saved_model.pb").write_text("")
    assert find_version(tmp_path / "2") == tmp_path / "2"


def test_folders_without_a_model_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds neither a SavedModel .* nor numbered versions"):
        find_version(tmp_path)
    with pytest.raises(InputError, match="There is no folder .*none; give a model's folder"):
        find_version(tmp_path / "none")


def test_the_weights_digest_is_what_its_description_says():
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    text = json.dumps(["kernel", "float32", [2, 3]]) + "\n"
    expected = hashlib.sha256(text.encode() + kernel.astype("<f4").tobytes()).hexdigest()
    assert weights_digest([("kernel", kernel)]) == expected
    assert weights_digest([("kernel", np.asfortranarray(kernel))]) == expected
    assert weights_digest([]) == hashlib.sha256().hexdigest()


@given(st.integers(0, 5), st.integers(0, 31))
def test_every_bit_of_the_weights_counts(position, bit):
    weights = np.arange(6, dtype=np.float32).reshape(2, 3)
    altered = weights.copy()
    altered.view(np.uint32).reshape(-1)[position] ^= np.uint32(1 << bit)
    assert weights_digest([("w", weights)]) != weights_digest([("w", altered)])


def test_names_shapes_types_and_order_count():
    a, b = np.zeros(4, np.float32), np.zeros(4, np.float32)
    digests = {
        weights_digest(each)
        for each in (
            [("a", a), ("b", b)],
            [("b", b), ("a", a)],
            [("a", a)],
            [("a", a.reshape(2, 2)), ("b", b)],
            [("a", a.view(np.int32)), ("b", b)],
            [("a", np.zeros(8, np.float32))],
        )
    }
    assert len(digests) == 6


def test_digests_of_all_files_but_the_record(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "variables" / "a").write_bytes(b"abc")
    (tmp_path / "assets.extra" / "privacy.json").write_bytes(b"{}")
    (tmp_path / "assets.extra" / "classes.json").write_bytes(b"[]")
    assert file_digests(tmp_path) == {
        "assets.extra/classes.json": hashlib.sha256(b"[]").hexdigest(),
        "variables/a": hashlib.sha256(b"abc").hexdigest(),
    }
