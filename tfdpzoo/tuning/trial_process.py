"""The process of a trial: `python -m tfdpzoo.tuning.trial_process FOLDER`.

A trial has a process of its own so that one that needs too much memory, or makes TensorFlow crash,
fails alone. It ends when whoever began it ends, however that happens: its standard input is a pipe
that nobody writes to, and reading it returns when the other end is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tfdpzoo.errors import InputError
from tfdpzoo.run_lock import locked
from tfdpzoo.tuning.search_folder import SearchFolder, TrialFolder
from tfdpzoo.tuning.trial_result import TrialResult

_STOPPED = 128 + signal.SIGTERM
_SECONDS_FOR_THE_LAST_ONE = 30.0
_LONGEST_REASON = 300


class TrialStoppedError(KeyboardInterrupt):
    """A trial was asked to stop, and goes on where it was when it is begun again.

    It is a kind of `KeyboardInterrupt` because KerasTuner takes any other for a failed trial.
    """


def run_in_a_process(folder: TrialFolder) -> TrialResult:
    """Runs a trial whose order is written, in a process of its own, and waits for it.

    Args:
        folder: Of the trial.

    Returns:
        Its result, also after a crash.

    Raises:
        TrialStoppedError: The process was asked to stop.
        KeyboardInterrupt: This process was; then the trial is stopped first.
    """
    began = time.monotonic()
    environment = {
        # Trials that run side by side share a GPU, of which TensorFlow would take all memory.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    command = [sys.executable, "-m", __name__, str(folder.path)]
    with (
        folder.messages.open("ab") as messages,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=messages,
            stderr=messages,
            env=environment,
            # Ctrl-C is for this process, which stops the trial.
            start_new_session=True,
        ) as process,
    ):
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    result = TrialResult.read(folder)
    if result is not None:
        return result
    if code == _STOPPED:
        raise TrialStoppedError(f"Trial {folder.name} was stopped.")
    result = TrialResult("crashed", None, time.monotonic() - began, 0, None, _reason(folder, code))
    result.write(folder)
    return result


def _reason(folder: TrialFolder, code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        hint = ", which the system does when memory runs out" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{hint}"
    lines = folder.messages.read_text(errors="replace").strip().splitlines()
    last = lines[-1] if lines else "it said nothing"
    return f"its process ended with code {code}: {last[:_LONGEST_REASON]}"


def main(path: str) -> None:
    """Runs the trial of a folder; exits with code 2 and a sentence where it cannot be run.

    Args:
        path: The trial's folder, inside that of its search.
    """
    threading.Thread(target=_end_with_the_other, daemon=True).start()
    # Importing TensorFlow takes seconds, in which the other may have ended.
    from tfdpzoo.checkpointing import TrainingStoppedError
    from tfdpzoo.interruption import stop_on_signals
    from tfdpzoo.tuning.search_state import SearchState
    from tfdpzoo.tuning.trial_training import run_trial
    from tfdpzoo.tuning.trials import read_trials

    trial = TrialFolder(Path(path))
    search = SearchFolder(trial.path.parent.parent)
    state = SearchState.read(search.state)
    if state is None:
        raise InputError(f"{search.path} is not the folder of a search.")
    _wait_for_the_last_one(trial)
    with locked(trial.lock), stop_on_signals() as stop, stop.finishing():
        try:
            run_trial(trial, state, read_trials(search.common), stop=stop)
        except TrainingStoppedError:
            sys.exit(_STOPPED)


def _end_with_the_other() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(_STOPPED)


def _wait_for_the_last_one(trial: TrialFolder) -> None:
    """Gives an earlier process of the trial, whose leader has just died, the time to end."""
    until = time.monotonic() + _SECONDS_FOR_THE_LAST_ONE
    while time.monotonic() < until:
        try:
            with locked(trial.lock):
                return
        except InputError:
            time.sleep(0.2)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except InputError as error:
        sys.exit(str(error))
