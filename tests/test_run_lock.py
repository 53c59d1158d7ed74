"""One process at a time trains in a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.run_lock import locked

HOLDER = """
import sys
from tfdpzoo.run_lock import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        locked(path),
        pytest.raises(InputError, match="Another process is training in"),
        locked(path),
    ):
        pass
    with locked(path):
        pass


def test_a_process_that_is_killed_gives_the_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "locked\n"
    with pytest.raises(InputError, match="Another process"), locked(path):
        pass

    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    with locked(path):
        pass
