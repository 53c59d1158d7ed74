"""Runs all checks, each apart from the others."""

from __future__ import annotations

import datetime
import os
import resource
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tfdpzoo.diagnosis import datasets, environment, machine, packages, places, tensorflow_checks
from tfdpzoo.diagnosis.finding import Finding, Status
from tfdpzoo.diagnosis.tensorflow_probe import TensorFlowFacts, probe_tensorflow
from tfdpzoo.memory import free_memory

_WITH_REQUIREMENTS = ("tfdpzoo", "tensorflow", "tensorflow-privacy", "keras", "dp-accounting")


@dataclass(frozen=True)
class Check:
    """A check and what it is of.

    Attributes:
        subject: What is said to have failed where the check itself does.
        run: Gathers the facts and looks at them.
    """

    subject: str
    run: Callable[[], Sequence[Finding]]


def diagnose(*, data_dir: Path | None, runs: Path, models: Path) -> Iterator[Finding]:
    """Looks at this machine; takes as long as TensorFlow takes to start.

    Args:
        data_dir: The folder of prepared data; None for the one that TensorFlow Datasets takes.
        runs: Where runs go.
        models: Where models go.

    Yields:
        What was found, in the order in which it is to be read.
    """
    return findings(
        [
            *_machine_checks(),
            *_package_checks(),
            Check("Environment", lambda: environment.check_environment(os.environ)),
            *_tensorflow_checks(),
            Check("Data", lambda: [_datasets(data_dir)]),
            *_place_checks("runs", runs),
            *_place_checks("models", models),
        ]
    )


def findings(checks: Iterable[Check]) -> Iterator[Finding]:
    """Runs checks; one that fails says so and stops no other.

    Args:
        checks: The checks.
    """
    for check in checks:
        try:
            yield from check.run()
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            yield Finding(check.subject, Status.NOTE, f"could not be looked at ({reason})")


def _machine_checks() -> Iterator[Check]:
    def limit(kind: int) -> int:
        return resource.getrlimit(kind)[0]

    yield Check("System", lambda: [machine.check_system(*machine.system_facts())])
    yield Check(
        "Memory", lambda: [machine.check_memory(psutil.virtual_memory().total, free_memory())]
    )
    yield Check("Cores", lambda: [machine.check_cores(len(os.sched_getaffinity(0)))])
    yield Check("Shared memory", lambda: [machine.check_shared_memory(machine.shared_memory())])
    yield Check("Open files", lambda: [machine.check_open_files(limit(resource.RLIMIT_NOFILE))])
    yield Check("File size", lambda: [machine.check_file_size(limit(resource.RLIMIT_FSIZE))])
    yield Check(
        "Clock", lambda: [machine.check_clock(datetime.datetime.now(datetime.timezone.utc))]
    )


def _package_checks() -> Iterator[Check]:
    version = packages.installed_version
    yield Check("Python", lambda: [packages.check_python(sys.version_info[:2])])
    yield Check("tfdpzoo", lambda: [packages.check_version("tfdpzoo", version("tfdpzoo"), None)])
    yield Check(
        "Versions",
        lambda: [
            packages.check_version(name, version(name), packages.pinned_versions().get(name))
            for name in packages.PACKAGES
        ],
    )
    yield Check("NumPy 1", lambda: [packages.check_numpy(version("numpy"))])
    yield Check(
        "Requirements",
        lambda: [
            packages.check_requirements(
                conflict for name in _WITH_REQUIREMENTS for conflict in packages.conflicts_of(name)
            )
        ],
    )
    yield Check(
        "Extras",
        lambda: [
            packages.check_extra(extra, packages.missing_for(extra)) for extra in packages.EXTRAS
        ],
    )


def _tensorflow_checks() -> Iterator[Check]:
    known: list[TensorFlowFacts] = []

    def facts() -> TensorFlowFacts:
        if not known:
            known.append(probe_tensorflow())
        return known[0]

    yield Check("TensorFlow starts", lambda: [tensorflow_checks.check_import(facts())])
    yield Check("Keras backend", lambda: [tensorflow_checks.check_backend(facts())])
    yield Check("TF-Privacy", lambda: [tensorflow_checks.check_tf_privacy(facts())])
    yield Check(
        "GPU",
        lambda: [
            tensorflow_checks.check_gpu(
                facts(), tensorflow_checks.has_driver(), os.environ.get("CUDA_VISIBLE_DEVICES")
            )
        ],
    )


def _datasets(data_dir: Path | None) -> Finding:
    default = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    folder = Path(data_dir or default).expanduser()
    return datasets.check_datasets(
        folder, datasets.prepared_datasets(folder), given=data_dir is not None
    )


def _place_checks(name: str, folder: Path) -> Iterator[Check]:
    def file_system() -> str | None:
        mounts = [(each.mountpoint, each.fstype) for each in psutil.disk_partitions(all=True)]
        return places.file_system_of(places.existing(folder), mounts)

    yield Check(
        f"Space of {name}",
        lambda: [places.check_space(name, folder, shutil.disk_usage(places.existing(folder)).free)],
    )
    yield Check(
        f"File system of {name}",
        lambda: [places.check_file_system(name, folder, file_system())],
    )
    yield Check(
        f"Writing {name}",
        lambda: [places.check_writing(name, folder, places.try_writing(places.existing(folder)))],
    )
