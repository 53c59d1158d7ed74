"""Kills processes in the middle of what they do to a registry, and looks at what is left.

A program of its own, run by tests/registry/test_crashes.py: it forks for every kill, which a
process with TensorFlow's threads must not do. Verification, which needs TensorFlow, is replaced;
the files that are registered are any files with a privacy record of the right form.

    python crashing_registry.py register|remove MODELS SOURCE
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

verification = types.ModuleType("tfdpzoo.verification")
verification.verify = lambda copy: types.SimpleNamespace(  # type: ignore[attr-defined]
    problems=(), ok=True, guarantee=types.SimpleNamespace(valid=True)
)
sys.modules["tfdpzoo.verification"] = verification

from tfdpzoo import durable_file, version_number, version_writing  # noqa: E402
from tfdpzoo.registry import registration, removal  # noqa: E402

# A killed process loses nothing that the kernel has: only a power failure would, and flushing takes
# most of the time.
os.fsync = lambda descriptor: None

STEPS = {
    module.__file__
    for module in (durable_file, version_number, version_writing, registration, removal)
}
NAME = "small"


def digests(folder: Path) -> dict[str, str]:
    """Of all files below a folder, by their paths."""
    return {
        str(each.relative_to(folder)): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }


def killed_at(step: int, action: Callable[[], Any]) -> bool:
    """Runs `action` in a process that kills itself at a step; tells whether it came so far.

    A step is a line of the registry's code that is executed for the first time.
    """
    child = os.fork()
    if child == 0:
        seen: set[tuple[str, int]] = set()

        def trace(frame: types.FrameType, event: str, _: Any) -> Any:
            if frame.f_code.co_filename not in STEPS:
                return None
            if event == "line":
                seen.add((frame.f_code.co_filename, frame.f_lineno))
                if len(seen) > step:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        action()
        sys.settrace(None)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"the action itself failed at step {step}")
    return os.WIFSIGNALED(status)


def check_whole(model: Path, whole: dict[str, str], step: int) -> list[int]:
    """Checks that every version has all its files; returns their numbers."""
    found = version_number.versions(model)
    for path in found.values():
        if digests(path) != whole:
            raise SystemExit(f"step {step} left half a version: {sorted(digests(path))}")
    return sorted(found)


def main(action: str, models: Path, source: Path) -> None:
    """Kills at every step; prints how many there were."""
    model, whole = models / NAME, digests(source)
    step = 0
    while True:
        shutil.rmtree(models, ignore_errors=True)
        if action == "remove":
            registration.register(source, NAME, models)
            killed = killed_at(step, lambda: removal.remove_version(model, 1))
            left = check_whole(model, whole, step)
        else:
            killed = killed_at(step, lambda: registration.register(source, NAME, models))
            left = check_whole(model, whole, step)
        new = int(registration.register(source, NAME, models).name)
        after = check_whole(model, whole, step)
        if after != [*left, new]:
            raise SystemExit(f"step {step}: {left} became {after}")
        if action == "remove" and new != 2:
            raise SystemExit(f"step {step}: the number 1 was used again or one was lost: {new}")
        hidden = model / version_number.HIDDEN
        if action == "register" and hidden.exists():
            raise SystemExit(f"step {step} left {sorted(map(str, hidden.rglob('*')))}")
        if (hidden / "unfinished").exists():
            raise SystemExit(f"step {step} left {sorted(map(str, hidden.rglob('*')))}")
        if not killed:
            break
        step += 1
    print(step)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
