"""Where and when something was measured; never the name of a host or a path on it."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path


def measured_on(command: str, threads: int) -> dict[str, str]:
    """Returns what the page says of the machine and of the run.

    Args:
        command: How to measure the same again.
        threads: On how many cores each process computed.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return {
        "command": f"`{command}`",
        "date": today.isoformat(),
        "CPU": _cpu(),
        "cores": f"{os.cpu_count()}, of which each process computes on {threads}",
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
        "Python": platform.python_version(),
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
