"""The first signal waits for the update, the second does not."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from tfdpzoo.interruption import stop_on_signals

# One operation that no Python handler can interrupt, as an update is.
BUSY = """
import hashlib
from tfdpzoo.interruption import stop_on_signals
with stop_on_signals() as stop, stop.finishing():
    print("busy", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**10 // 5)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted(number, capsys):
    with stop_on_signals() as stop, stop.finishing():
        signal.raise_signal(number)
        assert stop.signal is number
    assert "Stopping after this update" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_outside_of_training_ends_the_program(number):
    with stop_on_signals(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with stop_on_signals():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_threads_that_may_not_handle_signals_train_all_the_same():
    found = []

    def train() -> None:
        with stop_on_signals() as stop, stop.finishing():
            found.append(stop.signal)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert found == [None]


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_a_process_in_the_middle_of_an_operation(second):
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "busy\n"
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        process.send_signal(second)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 128 + second
    assert err.endswith("Stopped at once; the last checkpoint is kept.\n")
    assert not out
