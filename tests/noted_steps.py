"""In which order files get to the disk and get their names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


def note_steps(monkeypatch: pytest.MonkeyPatch, renamer: Any, name: str) -> list[str]:
    """From now on notes what is flushed, by its name, and each `rename`.

    Args:
        monkeypatch: Of the test.
        renamer: The module that has the function that renames.
        name: The function's name.
    """
    steps: list[str] = []
    fsync, rename = os.fsync, getattr(renamer, name)

    def noted_fsync(descriptor: int) -> None:
        steps.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    def noted_rename(source: Path, target: Path) -> None:
        steps.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(renamer, name, noted_rename)
    return steps
