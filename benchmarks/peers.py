"""The environment in which the peers live, apart from our own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.driver import PEERS_PYTHON

PINS = Path(__file__).with_name("requirements-peers.txt")


def install(packages: set[str]) -> dict[str, str]:
    """Installs packages at their pinned versions, where they are not there yet.

    Which index they come from is what pip is configured to, so that a machine without a GPU can
    offer PyTorch without CUDA.

    Args:
        packages: The packages that bring the peers.

    Returns:
        Why a package could not be installed, for each that could not.
    """
    # make sets our own constraints for pip, which are others.
    environment = {name: value for name, value in os.environ.items() if "CONSTRAINT" not in name}
    pip = [str(PEERS_PYTHON), "-m", "pip", "install", "--quiet", "--constraint", str(PINS)]
    steps = {package: [*pip, package] for package in sorted(packages)}
    if not PEERS_PYTHON.exists():
        make_environment = [sys.executable, "-m", "venv", str(PEERS_PYTHON.parents[1])]
        reason = _failure(make_environment, environment)
        if reason:
            return dict.fromkeys(packages, reason)
    reasons = {package: _failure(command, environment) for package, command in steps.items()}
    return {package: reason for package, reason in reasons.items() if reason}


def _failure(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return (errors or done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
