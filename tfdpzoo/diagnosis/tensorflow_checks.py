"""Checks of TensorFlow, Keras, TF-Privacy and the GPU, from what a process of its own found."""

from __future__ import annotations

from pathlib import Path

from tfdpzoo.diagnosis.finding import Finding, Status
from tfdpzoo.diagnosis.tensorflow_probe import TensorFlowFacts

_DRIVERS = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidiactl"))
_WSL_DRIVER = Path("/usr/lib/wsl/lib/libcuda.so.1")
_SLOW_IMPORT_SECONDS = 60


def check_import(facts: TensorFlowFacts) -> Finding:
    """Tells whether TensorFlow can be imported.

    Args:
        facts: What the process found.
    """
    if facts.failure is not None:
        return Finding(
            "TensorFlow starts",
            Status.PROBLEM,
            f"it does not: {facts.failure}",
            "pip install --constraint constraints.txt --editable . in the repository; `Illegal "
            "instruction` means a processor without AVX, for which TensorFlow has no package",
        )
    text = f"in {facts.seconds:.0f} seconds"
    if facts.seconds > _SLOW_IMPORT_SECONDS:
        return Finding(
            "TensorFlow starts",
            Status.NOTE,
            text,
            "install the environment on a local disk; the second time it is faster",
        )
    return Finding("TensorFlow starts", Status.OK, text)


def check_backend(facts: TensorFlowFacts) -> Finding:
    """Tells whether Keras computes with TensorFlow.

    Args:
        facts: What the process found.
    """
    if facts.failure is not None:
        return Finding("Keras backend", Status.NOTE, "not known, as TensorFlow does not start")
    if facts.backend == "tensorflow":
        return Finding("Keras backend", Status.OK, "tensorflow")
    found = facts.backend or f"Keras cannot be imported ({facts.keras_failure})"
    return Finding(
        "Keras backend",
        Status.PROBLEM,
        f"{found}; the commands take tensorflow all the same, Python code does not",
        'export KERAS_BACKEND=tensorflow, or set "backend" in ~/.keras/keras.json',
    )


def check_tf_privacy(facts: TensorFlowFacts) -> Finding:
    """Tells whether TF-Privacy's optimizer can be imported, which needs help since TF 2.16.

    Args:
        facts: What the process found.
    """
    if facts.failure is not None or facts.keras_failure is not None:
        return Finding("TF-Privacy", Status.NOTE, "not known, as its imports fail")
    if facts.privacy_failure is None:
        return Finding(
            "TF-Privacy",
            Status.OK,
            "its optimizer is imported without the estimators that TensorFlow 2.16 removed",
        )
    return Finding(
        "TF-Privacy",
        Status.PROBLEM,
        f"its optimizer cannot be imported: {facts.privacy_failure}",
        "import tfdpzoo before tensorflow_privacy, and install the pinned versions",
    )


def check_gpu(facts: TensorFlowFacts, driver: bool, visible: str | None) -> Finding:
    """Tells whether TensorFlow uses the GPU that is there.

    Args:
        facts: What the process found.
        driver: Whether there is a driver of NVIDIA.
        visible: The environment variable CUDA_VISIBLE_DEVICES; None where it is not set.
    """
    if facts.gpus:
        return Finding("GPU", Status.OK, ", ".join(facts.gpus))
    if not driver:
        return Finding("GPU", Status.OK, "none with a driver; training uses the processor")
    if visible is not None and visible.strip() in ("", "-1"):
        return Finding(
            "GPU",
            Status.NOTE,
            f"hidden by CUDA_VISIBLE_DEVICES={visible!r}; training uses the processor",
            "unset CUDA_VISIBLE_DEVICES",
        )
    if facts.failure is None and not facts.cuda:
        return Finding(
            "GPU",
            Status.PROBLEM,
            "there is a driver, but this TensorFlow is built without CUDA",
            "pip uninstall tensorflow-cpu; pip install --constraint constraints.txt '.[gpu]'",
        )
    return Finding(
        "GPU",
        Status.PROBLEM,
        "there is a driver, but TensorFlow sees no GPU",
        "pip install --constraint constraints.txt '.[gpu]' brings CUDA; look at `nvidia-smi`, and "
        "at what Python prints for `import tensorflow` with TF_CPP_MIN_LOG_LEVEL=0",
    )


def has_driver() -> bool:
    """Returns whether there is a driver of NVIDIA, of Linux or of WSL."""
    return any(path.exists() for path in (*_DRIVERS, _WSL_DRIVER))
