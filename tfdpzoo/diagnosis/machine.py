"""Checks of the machine: system, memory, cores, limits, clock."""

from __future__ import annotations

import datetime
import platform
import shutil
from pathlib import Path

from tfdpzoo.diagnosis.finding import Finding, Status
from tfdpzoo.memory import memory_in_words

_GIB = 2**30
_FIRST_YEAR = 2024
_SHARED_MEMORY = Path("/dev/shm")


def check_system(system: str, machine: str, release: str) -> Finding:
    """Tells whether the tests run on such a system.

    Args:
        system: As `platform.system()` says it.
        machine: As `platform.machine()` says it.
        release: As `platform.release()` says it; WSL says that it is one.

    Example:
        >>> check_system("Linux", "x86_64", "5.15.90.1-microsoft-standard-WSL2").text
        'Linux in WSL 2, x86_64'
    """
    if system == "Windows":
        return Finding(
            "System",
            Status.PROBLEM,
            "Windows, on which tfdpzoo does not run",
            "wsl --install, and use it in there",
        )
    if system != "Linux":
        return Finding("System", Status.NOTE, f"{system}, {machine}: never tested", "use Linux")
    if "microsoft" not in release.lower():
        return Finding("System", Status.OK, f"Linux, {machine}")
    if "wsl2" not in release.lower():
        return Finding(
            "System",
            Status.PROBLEM,
            "Linux in WSL 1, whose file locks and GPU do not work",
            "wsl --set-version NAME 2 in PowerShell",
        )
    return Finding("System", Status.OK, f"Linux in WSL 2, {machine}")


def check_memory(total: float, free: float) -> Finding:
    """Tells whether training fits into the memory.

    Args:
        total: Bytes of the machine.
        free: Bytes that this process may still take.
    """
    text = f"{memory_in_words(free)} free of {memory_in_words(total)}"
    if free < 1.5 * _GIB:
        return Finding(
            "Memory",
            Status.PROBLEM,
            f"{text}; TensorFlow and a small model take 1.5 GiB",
            "close other programs, or raise the limit of the container or of WSL",
        )
    if free < 4 * _GIB:
        return Finding(
            "Memory",
            Status.NOTE,
            f"{text}, enough for small models",
            "--memory-limit 500MB reads images from their files; --set execution.chunk=16 takes "
            "fewer at once",
        )
    return Finding("Memory", Status.OK, text)


def check_cores(cores: int | None) -> Finding:
    """Tells how many cores train.

    Args:
        cores: How many this process may use; None where that is not known.
    """
    if cores == 1:
        return Finding("Cores", Status.NOTE, "1; training takes twice as long as with two")
    return Finding("Cores", Status.OK, "not known" if cores is None else str(cores))


def check_shared_memory(size: float | None) -> Finding:
    """Tells whether GPUs of one machine can exchange their sums.

    Args:
        size: Bytes of /dev/shm; None where there is none.
    """
    if size is not None and size > 128 * 2**20:
        return Finding("Shared memory", Status.OK, memory_in_words(size))
    return Finding(
        "Shared memory",
        Status.NOTE,
        f"/dev/shm {'does not exist' if size is None else f'has {memory_in_words(size)}'}; "
        "several GPUs exchange their sums there",
        "docker run --shm-size=1g",
    )


def check_open_files(limit: int) -> Finding:
    """Tells whether enough files may be open.

    Args:
        limit: How many; -1 for any number.
    """
    if limit == -1 or limit >= 1024:
        return Finding("Open files", Status.OK, "unlimited" if limit == -1 else f"{limit:,}")
    return Finding(
        "Open files",
        Status.PROBLEM if limit < 128 else Status.NOTE,
        f"at most {limit} at once",
        "ulimit -n 4096",
    )


def check_file_size(limit: int) -> Finding:
    """Tells whether files may become as large as a model.

    Args:
        limit: Bytes; -1 for any number.
    """
    if limit == -1 or limit >= _GIB:
        return Finding("File size", Status.OK, "unlimited" if limit == -1 else "enough")
    return Finding(
        "File size",
        Status.PROBLEM,
        f"files end at {memory_in_words(limit)}, within a model or a checkpoint",
        "ulimit -f unlimited",
    )


def check_clock(now: datetime.datetime) -> Finding:
    """Tells whether the clock goes: records have a date, and downloads need it.

    Args:
        now: What it says.
    """
    text = f"{now:%Y-%m-%d %H:%M} UTC"
    if now.year >= _FIRST_YEAR:
        return Finding("Clock", Status.OK, text)
    return Finding(
        "Clock",
        Status.PROBLEM,
        f"{text}: it is wrong, and so would be the dates of records",
        "set the clock: sudo timedatectl set-ntp true, or `wsl --shutdown` in Windows",
    )


def system_facts() -> tuple[str, str, str]:
    """Returns what `check_system` takes."""
    return platform.system(), platform.machine(), platform.release()


def shared_memory() -> float | None:
    """Returns the bytes of /dev/shm; None where there is none."""
    return shutil.disk_usage(_SHARED_MEMORY).total if _SHARED_MEMORY.is_dir() else None
