"""Checkpoints come back bit by bit, or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tfdpzoo.checkpoint import Checkpoint, CheckpointFolder, DamagedCheckpointError, Facts
from tfdpzoo.errors import InputError

STATE = {"model/0 kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "count/0": np.int64(7)}


def checkpoint(update: int, run: str = "a") -> Checkpoint:
    return Checkpoint(Facts(run, update, 1.5, chunk=64, jit_compile=False), STATE)


@given(
    st.dictionaries(
        st.text(st.characters(categories=["L", "N"], include_characters="/ _"), max_size=9).map(
            lambda name: f"model/{name}"
        ),
        arrays.arrays(
            st.sampled_from([np.float32, np.float64, np.int64, np.uint32, np.bool_]),
            arrays.array_shapes(min_dims=0, max_dims=3, max_side=3),
        ),
        max_size=4,
    ),
    st.integers(0, 10**9),
    st.floats(0, 1e9),
)
def test_what_was_written_is_read(tmp_path_factory, state, update, seconds):
    folder = CheckpointFolder(tmp_path_factory.mktemp("checkpoints"), "a")
    facts = Facts("a", update, seconds, chunk=8, jit_compile=True)
    folder.write(Checkpoint(facts, state))
    found = folder.read(update)
    assert found.facts == facts
    assert list(found.state) == list(state)
    for name, values in state.items():
        assert found.state[name].dtype == values.dtype
        assert found.state[name].shape == values.shape
        assert found.state[name].tobytes() == values.tobytes()


def test_the_last_ones_are_kept(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints", "a", kept=2)
    for update in (0, 5, 100, 20):
        folder.write(checkpoint(update))
    assert folder.updates() == [20, 100]
    folder.remove_all_but_the_newest()
    assert folder.updates() == [100]


def test_what_a_crash_left_is_removed(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "a")
    (tmp_path / "000000001.checkpoint.new").write_bytes(b"half")
    assert folder.updates() == []
    folder.write(checkpoint(2))
    assert os.listdir(tmp_path) == ["000000002.checkpoint"]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 0.99])
def test_a_truncated_file_is_noticed(tmp_path: Path, share: float) -> None:
    folder = CheckpointFolder(tmp_path, "a")
    path = folder.write(checkpoint(3))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(
        DamagedCheckpointError, match=r"000000003\.checkpoint is damaged or was altered"
    ):
        folder.read(3)


def test_any_changed_bit_is_noticed(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "a")
    path = folder.write(checkpoint(3))
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for position in random.choice(len(content), 300, replace=False):
        altered = bytearray(content)
        altered[position] ^= 1 << random.integers(8)
        path.write_bytes(altered)
        with pytest.raises(DamagedCheckpointError):
            folder.read(3)


def test_a_file_that_cannot_be_read_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "a")
    (tmp_path / "000000003.checkpoint").mkdir()
    with pytest.raises(InputError, match="cannot be read: Is a directory") as error:
        folder.read(3)
    assert not isinstance(error.value, DamagedCheckpointError)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    CheckpointFolder(tmp_path, "b").write(checkpoint(3, run="b"))
    with pytest.raises(InputError, match="is of another run; put back the files of this one"):
        CheckpointFolder(tmp_path, "a").read(3)


def test_a_full_disk_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = CheckpointFolder(tmp_path, "a", kept=1)
    folder.write(checkpoint(3))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device.* update 3 is still there"):
        folder.write(checkpoint(4))
    assert os.listdir(tmp_path) == ["000000003.checkpoint"]
    assert folder.read(3).facts.update == 3


@pytest.mark.parametrize("kept", [0, -1, 1.5, True])
def test_a_number_of_checkpoints_that_makes_no_sense_is_refused(tmp_path: Path, kept) -> None:
    with pytest.raises(InputError, match="cannot be kept; keep at least 1"):
        CheckpointFolder(tmp_path, "a", kept=kept)
