"""Importing TensorFlow without what it says while it starts."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfdpzoo.cli.console import busy, open_console
from tfdpzoo.errors import InputError

_NVIDIA_DRIVER = Path("/dev/nvidiactl")
_NO_GPU = (
    "Warning: this machine has an NVIDIA driver, but TensorFlow finds no GPU. It needs CUDA, which "
    "`pip install 'tfdpzoo[gpu]'` brings; with TF_CPP_MIN_LOG_LEVEL=0 it says why."
)


def start_tensorflow() -> None:
    """Imports TensorFlow and finds its devices; takes seconds the first time.

    On a terminal a spinner shows on stdout. What TensorFlow's C++ code writes to stderr meanwhile
    is printed only if it fails. Later its log is off, unless TF_CPP_MIN_LOG_LEVEL says otherwise:
    it reports errors that are none, and the real ones are Python exceptions.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with busy(open_console(), "starting TensorFlow"), stderr_aside():
        import tensorflow as tf

        if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3":
            # Python's part of the log warns of functions that are traced on purpose.
            tf.get_logger().setLevel(logging.ERROR)
        found = tf.config.list_physical_devices("GPU")
    if not found and _NVIDIA_DRIVER.exists():
        print(_NO_GPU, file=sys.stderr)


@contextlib.contextmanager
def stderr_aside() -> Iterator[None]:
    """Leads file descriptor 2 into a file in a `with` block, and shows the file if that fails.

    For what is written past Python's log, or before it is set up. Beside an `InputError`, which
    says itself what is wrong, and after Ctrl-C it is not shown.
    """
    try:
        sys.stderr.flush()
        real = os.dup(2)
    except OSError:
        # A process without stderr has nothing to keep clean.
        yield
        return
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except InputError:
            raise
        except Exception:
            os.dup2(real, 2)
            said.seek(0)
            sys.stderr.write(said.read().decode(errors="replace"))
            raise
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
