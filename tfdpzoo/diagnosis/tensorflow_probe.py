"""A process that imports TensorFlow and says what came of it.

A TensorFlow that does not fit the processor or its libraries may end the process that imports it,
without any Python exception. So the one that asks is another one.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from dataclasses import dataclass

_SECONDS = 300
_LONGEST_REASON = 300


@dataclass(frozen=True)
class TensorFlowFacts:
    """What the process found.

    Attributes:
        failure: Why TensorFlow cannot be imported; None where it can.
        seconds: How long that took.
        cuda: Whether TensorFlow is built with CUDA.
        gpus: The names of the GPUs that it sees.
        backend: What Keras computes with.
        keras_failure: Why Keras cannot be imported; None where it can.
        privacy_failure: Why TF-Privacy's optimizer cannot be imported; None where it can.
    """

    failure: str | None = None
    seconds: float = 0.0
    cuda: bool = False
    gpus: tuple[str, ...] = ()
    backend: str = ""
    keras_failure: str | None = None
    privacy_failure: str | None = None


def probe_tensorflow() -> TensorFlowFacts:
    """Asks a new process; takes seconds."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return TensorFlowFacts(failure=f"the import did not end within {_SECONDS} seconds")
    lines = done.stdout.splitlines()
    if done.returncode == 0 and lines:
        fields = json.loads(lines[-1])
        return TensorFlowFacts(**{**fields, "gpus": tuple(fields["gpus"])})
    said = " ".join(done.stderr.split())[-_LONGEST_REASON:]
    return TensorFlowFacts(failure=f"the process ended with {done.returncode}: {said}")


def _facts() -> TensorFlowFacts:
    started = time.monotonic()
    try:
        import tensorflow as tf

        from tfdpzoo.hardware import accelerators
    except Exception as error:
        return TensorFlowFacts(failure=_reason(error))
    facts = TensorFlowFacts(
        seconds=time.monotonic() - started,
        cuda=bool(tf.test.is_built_with_cuda()),
        gpus=tuple(accelerators()),
    )
    try:
        import keras
    except Exception as error:
        return dataclasses.replace(facts, keras_failure=_reason(error))
    facts = dataclasses.replace(facts, backend=keras.backend.backend())
    try:
        import tfdpzoo.dpsgd.tf_privacy  # noqa: F401
    except Exception as error:
        return dataclasses.replace(facts, privacy_failure=_reason(error))
    return facts


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_REASON]


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(_facts())))
