"""The peers train the zoo's network, not a similar one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from benchmarks.driver import PEERS_PYTHON, ROOT

REFERENCE = ROOT / "tests" / "zoo" / "smoothnet_reference.npz"


@pytest.mark.parametrize("framework", ["pytorch", "jax"])
def test_logits_equal_the_reference(framework):
    if not PEERS_PYTHON.exists():
        pytest.skip("the environment of the peers does not exist; `make bench` makes it")
    done = subprocess.run(
        [PEERS_PYTHON, Path(__file__).with_name("twin_logits.py"), framework, REFERENCE],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip(f"{framework} is not installed in the environment of the peers")
    differences = [float(line) for line in done.stdout.split()]
    assert len(differences) == 2, done.stderr
    assert max(differences) < 1e-4
