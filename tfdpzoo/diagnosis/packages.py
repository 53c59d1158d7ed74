"""Checks of what is installed: Python, packages, their pins, what they require of each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tfdpzoo.diagnosis.finding import Finding, Status

PACKAGES = ("tensorflow", "keras", "tensorflow-privacy", "dp-accounting", "numpy", "protobuf")
"""Whose versions decide what a run computes."""

EXTRAS: Mapping[str, str] = {
    "convert": "export to ONNX and LiteRT",
    "serving": "gRPC to a TensorFlow Serving server",
    "docs": "building the documentation",
}
"""What each extra is for."""

_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^;\s]+)\s*(?:;\s*(.+))?")
_CHECKOUT = Path(__file__).parents[2]


def check_python(version: tuple[int, int]) -> Finding:
    """Looks whether this Python is one of those that the packages have in common.

    Args:
        version: Its major and minor number.

    Example:
        >>> check_python((3, 12)).status.value
        'problem'
    """
    text = ".".join(map(str, version))
    if version in ((3, 10), (3, 11)):
        return Finding("Python", Status.OK, text)
    return Finding(
        "Python",
        Status.PROBLEM,
        f"{text}, for which TensorFlow Privacy has no package",
        "make an environment with Python 3.10 or 3.11: make demo PYTHON=python3.11",
    )


def check_version(name: str, installed: str | None, pinned: str | None) -> Finding:
    """Compares the version of a package with the one that the tests ran with.

    Args:
        name: The package.
        installed: Its version here; None where it is missing.
        pinned: The version in constraints.txt; None where that is not at hand.
    """
    if installed is None:
        return Finding(name, Status.PROBLEM, "not installed", _reinstall())
    if pinned is None or installed == pinned:
        return Finding(name, Status.OK, installed)
    return Finding(
        name,
        Status.NOTE,
        f"{installed}; the tests ran with {pinned}",
        f"pip install --constraint constraints.txt '{name}=={pinned}'",
    )


def check_numpy(installed: str | None) -> Finding:
    """Looks for NumPy 2, with which packages that were built for NumPy 1 fail.

    Args:
        installed: Its version; None where it is missing.

    Example:
        >>> print(check_numpy("2.1.0").text)
        2.1.0 is NumPy 2, and packages here are built for NumPy 1
    """
    if installed is not None and int(installed.split(".")[0]) >= 2:
        return Finding(
            "NumPy 1",
            Status.PROBLEM,
            f"{installed} is NumPy 2, and packages here are built for NumPy 1",
            "pip install 'numpy>=1.26,<2'",
        )
    return Finding("NumPy 1", Status.OK, "NumPy 2 is not installed")


def check_requirements(conflicts: Iterable[str]) -> Finding:
    """Tells of packages that do not go together, such as protobuf with TensorFlow.

    Args:
        conflicts: A phrase for each, see `conflicts_of`.
    """
    found = list(conflicts)
    if not found:
        return Finding("Requirements", Status.OK, "the packages go together")
    more = f", and {len(found) - 3} more" if len(found) > 3 else ""
    return Finding("Requirements", Status.PROBLEM, f"{'; '.join(found[:3])}{more}", _reinstall())


def check_extra(extra: str, missing: Iterable[str]) -> Finding:
    """Tells whether an optional part can be used.

    Args:
        extra: Its name.
        missing: The packages that it needs and that are not installed.
    """
    names = sorted(missing)
    subject = f"Extra {extra}"
    if not names:
        return Finding(subject, Status.OK, f"installed, for {EXTRAS[extra]}")
    return Finding(
        subject,
        Status.NOTE,
        f"not installed (lacks {', '.join(names)}); it is for {EXTRAS[extra]}",
        f"pip install --constraint constraints.txt '.[{extra}]' in the repository",
    )


def installed_version(name: str) -> str | None:
    """Returns the version of an installed package; None where it is missing."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def pinned_versions(file: Path = _CHECKOUT / "constraints.txt") -> Mapping[str, str]:
    """Returns the versions that the tests ran with; empty outside of a checkout.

    Args:
        file: The file of the pins.
    """
    if not file.is_file():
        return {}
    pins: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        found = _PIN.fullmatch(line.strip())
        if found and _applies(Requirement(line.strip())):
            pins[canonicalize_name(found[1])] = found[2]
    return pins


def conflicts_of(name: str) -> list[str]:
    """Returns a phrase for each requirement of a package that what is installed does not meet.

    Args:
        name: The package.
    """
    return [
        f"{name} needs {requirement.name}{requirement.specifier} and finds "
        f"{installed_version(requirement.name) or 'none'}"
        for requirement in _requirements(name)
        if _applies(requirement) and not _is_met(requirement)
    ]


def missing_for(extra: str) -> list[str]:
    """Returns the packages of one of our extras that are not installed."""
    wanted = [
        requirement
        for requirement in _requirements("tfdpzoo")
        if requirement.marker is not None
        and requirement.marker.evaluate({"extra": extra})
        and not requirement.marker.evaluate({"extra": ""})
    ]
    return [each.name for each in wanted if not _is_met(each)]


def _requirements(name: str) -> list[Requirement]:
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    requirements = []
    for line in lines:
        try:
            requirements.append(Requirement(line))
        except InvalidRequirement:
            # Old packages have forms of their own; pip does not read them either.
            continue
    return requirements


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _is_met(requirement: Requirement) -> bool:
    version = installed_version(requirement.name)
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _reinstall() -> str:
    return "pip install --constraint constraints.txt --editable . in the repository"
