"""Trials side by side: KerasTuner's chief in this process, its workers in others."""

from __future__ import annotations

import _thread
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tfdpzoo.errors import InputError

_TUNER_ID = "KERASTUNER_TUNER_ID"
_VARIABLES = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", _TUNER_ID)
_CHIEF = "chief"
_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_TO_END = 60.0


def is_worker() -> bool:
    """Whether KerasTuner's environment variables make this process one of its workers.

    Raises:
        InputError: Some of the variables are missing.
    """
    given = [name for name in _VARIABLES if name in os.environ]
    if given and len(given) < len(_VARIABLES):
        missing = next(name for name in _VARIABLES if name not in given)
        raise InputError(
            f"{missing} is missing: KerasTuner takes {', '.join(_VARIABLES)} together."
        )
    return bool(given) and _CHIEF not in os.environ[_TUNER_ID]


@contextmanager
def as_chief(workers: int, folder: Path) -> Iterator[None]:
    """Makes this process the chief of workers that it starts, if there is to be more than one.

    Args:
        workers: How many; one needs no chief.
        folder: Of the search, whose order is written.

    Raises:
        InputError: A worker ended before the search did.
    """
    if workers == 1:
        yield
        return
    chief = dict(zip(_VARIABLES, ("127.0.0.1", f"{_free_port()}", _CHIEF), strict=True))
    os.environ.update(chief)
    ended: list[str] = []
    over = threading.Event()
    try:
        with ExitStack() as stack:
            processes = [stack.enter_context(_worker(number, folder)) for number in range(workers)]
            watch = threading.Thread(target=_watch, args=(processes, ended, over), daemon=True)
            watch.start()
            try:
                yield
            except KeyboardInterrupt:
                if not ended:
                    raise
                raise InputError(
                    f"A worker of the search ended before it did ({ended[0]}); its messages are in "
                    f"{folder}. Go on with --resume {folder}."
                ) from None
            finally:
                over.set()
                watch.join()
    finally:
        for name in _VARIABLES:
            os.environ.pop(name, None)


@contextmanager
def _worker(number: int, folder: Path) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "tfdpzoo.cli.main", "tune", "--resume", str(folder)]
    environment = {**os.environ, _TUNER_ID: f"worker-{number}"}
    with (
        (folder / f"worker-{number}.txt").open("ab") as messages,
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=messages,
            # Ctrl-C is for the chief, which stops its workers.
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen) -> None:
    if sys.exc_info()[0] is not None:
        process.terminate()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()


def _watch(processes: list[subprocess.Popen], ended: list[str], over: threading.Event) -> None:
    while not over.wait(_SECONDS_BETWEEN_LOOKS):
        codes = [process.poll() for process in processes]
        failed = [(number, code) for number, code in enumerate(codes) if code]
        if failed:
            number, code = failed[0]
            ended.append(f"worker {number}, exit code {code}")
            _thread.interrupt_main()
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
