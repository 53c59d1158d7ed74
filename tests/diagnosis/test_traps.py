"""Each known trap, from facts of the test."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from tfdpzoo.diagnosis import datasets, machine, packages, places, tensorflow_checks
from tfdpzoo.diagnosis.diagnose import Check, findings
from tfdpzoo.diagnosis.environment import TRAPS, check_environment
from tfdpzoo.diagnosis.finding import Finding, Status
from tfdpzoo.diagnosis.tensorflow_probe import TensorFlowFacts

OK, NOTE, PROBLEM = Status.OK, Status.NOTE, Status.PROBLEM
GIB = 2**30
STARTED = TensorFlowFacts(seconds=3.0, cuda=True, backend="tensorflow")


@pytest.mark.parametrize(
    ("finding", "status", "said"),
    [
        (packages.check_python((3, 11)), OK, "3.11"),
        (packages.check_python((3, 13)), PROBLEM, "TensorFlow Privacy has no package"),
        (packages.check_version("keras", "3.15.1", "3.15.1"), OK, "3.15.1"),
        (packages.check_version("keras", "3.15.1", None), OK, "3.15.1"),
        (packages.check_version("keras", "3.9", "3.15.1"), NOTE, "the tests ran with 3.15.1"),
        (packages.check_version("keras", None, "3.15.1"), PROBLEM, "not installed"),
        (packages.check_numpy("1.26.4"), OK, "NumPy 2 is not installed"),
        (packages.check_numpy("2.2.0"), PROBLEM, "2.2.0 is NumPy 2"),
        (packages.check_numpy(None), OK, "NumPy 2 is not installed"),
        (packages.check_requirements([]), OK, "go together"),
        (
            packages.check_requirements(["tensorflow needs protobuf>=6 and finds 3.20.3"]),
            PROBLEM,
            "tensorflow needs protobuf>=6 and finds 3.20.3",
        ),
        (packages.check_requirements("abcde"), PROBLEM, "a; b; c, and 2 more"),
        (packages.check_extra("convert", []), OK, "installed, for export to ONNX and LiteRT"),
        (packages.check_extra("serving", ["grpcio"]), NOTE, "lacks grpcio"),
        (tensorflow_checks.check_import(STARTED), OK, "in 3 seconds"),
        (tensorflow_checks.check_import(TensorFlowFacts(seconds=90)), NOTE, "in 90 seconds"),
        (
            tensorflow_checks.check_import(TensorFlowFacts(failure="the process ended with -4: ")),
            PROBLEM,
            "ended with -4",
        ),
        (tensorflow_checks.check_backend(STARTED), OK, "tensorflow"),
        (tensorflow_checks.check_backend(TensorFlowFacts(backend="torch")), PROBLEM, "torch"),
        (tensorflow_checks.check_backend(TensorFlowFacts(failure="no")), NOTE, "not known"),
        (
            tensorflow_checks.check_backend(TensorFlowFacts(keras_failure="No module 'jax'")),
            PROBLEM,
            "Keras cannot be imported (No module 'jax')",
        ),
        (tensorflow_checks.check_tf_privacy(STARTED), OK, "without the estimators"),
        (
            tensorflow_checks.check_tf_privacy(TensorFlowFacts(keras_failure="no")),
            NOTE,
            "not known",
        ),
        (
            tensorflow_checks.check_tf_privacy(
                TensorFlowFacts(privacy_failure="ImportError: no module named estimator")
            ),
            PROBLEM,
            "no module named estimator",
        ),
        (tensorflow_checks.check_tf_privacy(TensorFlowFacts(failure="no")), NOTE, "not known"),
        (
            tensorflow_checks.check_gpu(TensorFlowFacts(gpus=("2 x NVIDIA H200",)), True, None),
            OK,
            "2 x NVIDIA H200",
        ),
        (tensorflow_checks.check_gpu(STARTED, False, None), OK, "none with a driver"),
        (tensorflow_checks.check_gpu(STARTED, True, None), PROBLEM, "sees no GPU"),
        (tensorflow_checks.check_gpu(STARTED, True, "0"), PROBLEM, "sees no GPU"),
        (tensorflow_checks.check_gpu(STARTED, True, ""), NOTE, "hidden by CUDA_VISIBLE_DEVICES=''"),
        (
            tensorflow_checks.check_gpu(TensorFlowFacts(cuda=False), True, None),
            PROBLEM,
            "built without CUDA",
        ),
        (machine.check_system("Linux", "x86_64", "6.1.0"), OK, "Linux, x86_64"),
        (machine.check_system("Linux", "x86_64", "5.15-microsoft-WSL2"), OK, "WSL 2"),
        (machine.check_system("Linux", "x86_64", "4.4.0-Microsoft"), PROBLEM, "WSL 1"),
        (machine.check_system("Windows", "AMD64", "10"), PROBLEM, "does not run"),
        (machine.check_system("Darwin", "arm64", "23"), NOTE, "never tested"),
        (machine.check_memory(16 * GIB, 9 * GIB), OK, "9 GiB free of 16 GiB"),
        (machine.check_memory(16 * GIB, 3 * GIB), NOTE, "enough for small models"),
        (machine.check_memory(16 * GIB, 1 * GIB), PROBLEM, "1 GiB free"),
        (machine.check_cores(8), OK, "8"),
        (machine.check_cores(1), NOTE, "twice as long"),
        (machine.check_cores(None), OK, "not known"),
        (machine.check_shared_memory(8.0 * GIB), OK, "8 GiB"),
        (machine.check_shared_memory(64.0 * 2**20), NOTE, "/dev/shm has 64 MiB"),
        (machine.check_shared_memory(None), NOTE, "/dev/shm does not exist"),
        (machine.check_open_files(-1), OK, "unlimited"),
        (machine.check_open_files(4096), OK, "4,096"),
        (machine.check_open_files(256), NOTE, "at most 256"),
        (machine.check_open_files(64), PROBLEM, "at most 64"),
        (machine.check_file_size(-1), OK, "unlimited"),
        (machine.check_file_size(2 * GIB), OK, "enough"),
        (machine.check_file_size(1_000_000), PROBLEM, "files end at"),
        (machine.check_clock(datetime.datetime(2026, 11, 27, 8, 5)), OK, "2026-11-27 08:05 UTC"),
        (machine.check_clock(datetime.datetime(1970, 1, 1)), PROBLEM, "it is wrong"),
        (places.check_space("runs", Path("runs"), 1e11), OK, "free for runs"),
        (places.check_space("runs", Path("runs"), 2e9), NOTE, "a checkpoint of a large model"),
        (places.check_space("runs", Path("runs"), 1e7), PROBLEM, "9.537 MiB free for runs"),
        (places.check_file_system("runs", Path("runs"), "ext4"), OK, "ext4"),
        (places.check_file_system("runs", Path("runs"), None), OK, "not known"),
        (places.check_file_system("runs", Path("/mnt/c/x"), "9p"), NOTE, "/mnt/c/x is on 9p"),
        (places.check_file_system("runs", Path("x"), "nfs4"), NOTE, "x is on nfs4"),
        (places.check_file_system("runs", Path("x"), "fuse.sshfs"), NOTE, "fuse.sshfs"),
        (places.check_writing("models", Path("m"), None), OK, "written, flushed and locked"),
        (places.check_writing("models", Path("m"), "Read-only system"), PROBLEM, "Read-only"),
        (
            datasets.check_datasets(Path("d"), ["mnist", "cifar10"], given=True),
            OK,
            "cifar10, mnist",
        ),
        (datasets.check_datasets(Path("d"), [], False), NOTE, "nothing that is known"),
        (datasets.check_datasets(Path("nowhere"), [], True), PROBLEM, "no folder nowhere"),
    ],
)
def test_finding(finding: Finding, status: Status, said: str) -> None:
    assert finding.status is status
    assert said in finding.text
    if status is PROBLEM:
        assert finding.fix


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"TF_USE_LEGACY_KERAS": "1"}, PROBLEM),
        ({"TF_USE_LEGACY_KERAS": "True"}, PROBLEM),
        ({"KERAS_BACKEND": "jax"}, PROBLEM),
        ({"NVIDIA_TF32_OVERRIDE": "1"}, PROBLEM),
        ({"TF_DETERMINISTIC_OPS": "1"}, NOTE),
        ({"TF_ENABLE_ONEDNN_OPTS": "0"}, NOTE),
        ({"CUDA_VISIBLE_DEVICES": ""}, NOTE),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, NOTE),
        ({"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}, NOTE),
        ({"TF_XLA_FLAGS": "--tf_xla_auto_jit=2"}, NOTE),
    ],
)
def test_variables_that_do_harm(environ: dict[str, str], status: Status) -> None:
    ((name, value),) = environ.items()

    (finding,) = check_environment({"PATH": "/bin", **environ})

    assert finding.subject == name
    assert finding.status is status
    assert finding.text.startswith(f"is {value!r}, which ")
    assert finding.fix


def test_harmless_values() -> None:
    harmless = {
        "TF_USE_LEGACY_KERAS": "0",
        "KERAS_BACKEND": "tensorflow",
        "NVIDIA_TF32_OVERRIDE": "0",
        "TF_DETERMINISTIC_OPS": "0",
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "CUDA_VISIBLE_DEVICES": "0,1",
        "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "upb",
        "TF_XLA_FLAGS": "",
    }
    assert {trap.variable for trap in TRAPS} == {*harmless}
    assert [each.status for each in check_environment(harmless)] == [OK]


def test_all_harmful_variables_are_told_at_once() -> None:
    found = check_environment({"TF_USE_LEGACY_KERAS": "1", "KERAS_BACKEND": "torch"})

    assert [each.subject for each in found] == ["TF_USE_LEGACY_KERAS", "KERAS_BACKEND"]


def test_a_check_that_fails_stops_no_other() -> None:
    def broken() -> list[Finding]:
        raise RuntimeError("no\nsuch device")

    good = Finding("Cores", OK, "2")

    assert list(findings([Check("GPU", broken), Check("Cores", lambda: [good])])) == [
        Finding("GPU", NOTE, "could not be looked at (RuntimeError: no such device)"),
        good,
    ]
