"""Where a privacy record comes from: software, hardware, date and code."""

from __future__ import annotations

import datetime
import functools
import hashlib
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path


@dataclass(frozen=True)
class Provenance:
    """The circumstances of a run; null where something is not known.

    Attributes:
        tfdpzoo: Its version.
        tensorflow: Its version.
        keras: Its version.
        tensorflow_privacy: Its version.
        dp_accounting: Its version.
        python: Its version.
        packages_sha256: The SHA-256 digest of all installed packages: lines `name==version` in
            order of the normalised names, each with a line feed.
        hardware: What trained.
        date: When the record was made, by ISO 8601.
        commit: Of the checkout that tfdpzoo was imported from, followed by `-dirty` where files
            differ from it.
        weights_sha256: The digest of the released weights; filled in when they are exported.
        data_fingerprint: Why the private examples have no digest here.
    """

    tfdpzoo: str | None
    tensorflow: str | None
    keras: str | None
    tensorflow_privacy: str | None
    dp_accounting: str | None
    python: str
    packages_sha256: str
    hardware: str
    date: str
    commit: str | None
    weights_sha256: str | None
    data_fingerprint: str = (
        "none: a digest of the private examples differs between neighbouring data sets, so that "
        "publishing it would tell them apart"
    )

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
            packages_sha256=_packages_digest(),
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


@functools.cache
def _packages_digest() -> str:
    """Of what is installed; a process does not change it."""
    versions: dict[str, str] = {}
    for each in metadata.distributions():
        # What comes first on the path is what is imported.
        if each.metadata["Name"]:
            name = re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower()
            versions.setdefault(name, each.version)
    lines = [f"{name}=={versions[name]}\n" for name in sorted(versions)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


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
