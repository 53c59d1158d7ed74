"""Signals that ask a run to stop: after the first it finishes its update, the second ends it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_EXIT_CODE_OF_SIGNAL = 128


class StopRequest:
    """Whether somebody has asked the run to stop, and how.

    Before training, and after it, a signal ends the program as Ctrl-C does. Inside `finishing` the
    first one is noted, and whoever trains looks at `signal` after each update.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._finishing = False

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Lets the first signal wait until `signal` is looked at."""
        self._finishing = True
        try:
            yield
        finally:
            self._finishing = False

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Handles a signal.

        Raises:
            KeyboardInterrupt: Nothing has to be finished.
        """
        first, self.signal = self.signal is None, signal.Signals(number)
        if not (self._finishing and first):
            raise KeyboardInterrupt
        print("Stopping after this update; a second signal stops at once.", file=sys.stderr)


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Catches SIGINT and SIGTERM inside the `with` block.

    Python handles a signal between two operations, and an update is one operation that may take a
    minute. So a thread waits for the second signal of a kind that was asked for already, and ends
    the process without asking anybody. Files that are replaced as a whole survive that.

    Outside of the main thread, where Python allows no handlers, signals stay what they are.

    Example:
        >>> with stop_on_signals() as stop, stop.finishing():
        ...     signal.raise_signal(signal.SIGTERM)
        ...     stop.signal.name
        'SIGTERM'
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    watcher = threading.Thread(target=_end_at_the_second, args=(reading,), daemon=True)
    watcher.start()
    previous = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        for number in _SIGNALS:
            signal.signal(number, stop.receive)
        yield stop
    finally:
        signal.set_wakeup_fd(previous)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writing)
        watcher.join()
        os.close(reading)


def _end_at_the_second(reading: int) -> None:
    """Counts the signals that Python writes to the pipe, a byte for each."""
    received = 0
    while number := os.read(reading, 1):
        received += number[0] in _SIGNALS
        if received > 1:
            print("Stopped at once; the last checkpoint is kept.", file=sys.stderr, flush=True)
            os._exit(_EXIT_CODE_OF_SIGNAL + number[0])
