"""Where a privacy record comes from: software, hardware, date and code."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path


@dataclass(frozen=True)
class Provenance:
    """The circumstances of a run; None where something is not known.

    `commit` is the commit of the checkout that tfdpzoo was imported from, followed by `-dirty`
    where files differ from it. `weights_sha256` is the digest of the released weights and is
    filled in when they are exported.
    """

    tfdpzoo: str | None
    tensorflow: str | None
    keras: str | None
    tensorflow_privacy: str | None
    dp_accounting: str | None
    python: str
    hardware: str
    date: str
    commit: str | None
    weights_sha256: str | None

    @classmethod
    def current(cls, *, hardware: str | None = None) -> Provenance:
        """Describes this process now.

        Args:
            hardware: What trained, where the caller knows better than the processor's name, for
                example a GPU.
        """
        now = datetime.datetime.now(datetime.timezone.utc)
        return cls(
            tfdpzoo=_version("tfdpzoo"),
            tensorflow=_version("tensorflow"),
            keras=_version("keras"),
            tensorflow_privacy=_version("tensorflow-privacy"),
            dp_accounting=_version("dp-accounting"),
            python=platform.python_version(),
            hardware=hardware or _processor(),
            date=now.isoformat(timespec="seconds"),
            commit=_commit(Path(__file__).parents[2]),
            weights_sha256=None,
        )


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """The processor's name where Linux tells it, and the number of logical cores."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {os.cpu_count()} logical cores"


def _commit(checkout: Path) -> str | None:
    """The commit of `checkout`, which must itself be the root of a git checkout.

    An installed package may lie in a virtual environment inside somebody else's repository, whose
    commit says nothing about this code.
    """
    if not (checkout / ".git").exists():
        return None
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=checkout, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
