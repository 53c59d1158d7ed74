"""The installed distribution: its packages, its pins and the Pythons that it takes."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
DATA = {
    "tfdpzoo": (".html", ".md", ".css", ".js", ".svg", ".toml"),
    "zoo": (".toml", ".md"),
    "cli": (),
}
PIN = re.compile(r'([a-z0-9-]+)==[0-9][0-9a-z.]*(?:; python_version (<|>=) "3\.11")?')


def pins() -> list[re.Match[str]]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    matches = [PIN.fullmatch(line) for line in lines if not line.startswith("#")]
    assert None not in matches
    return matches


def closure(requirement: Requirement, reached: set[tuple[str, str]]) -> None:
    """Adds the installed distributions that the requirement leads to, with the extra wanted."""
    name = canonicalize_name(requirement.name)
    for extra in requirement.extras | {""}:
        if (name, extra) in reached:
            continue
        reached.add((name, extra))
        for line in importlib.metadata.requires(name) or ():
            inner = Requirement(line)
            if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                closure(inner, reached)


def fake_python(folder: Path, name: str, version: str, *, venv: bool = True) -> Path:
    file = folder / name
    answer = "exit 0" if venv else "exit 1"
    file.write_text(
        "#!/bin/sh\n"
        f'case "$2" in *ensurepip*) {answer};; *version_info*) echo {version};; '
        f"*executable*) echo {file};; esac\n"
    )
    file.chmod(0o755)
    return file


def find_python(path: Path, python: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", ROOT / "tools" / "find_python.sh"],
        env={"PATH": str(path), "PYTHON": python},
        capture_output=True,
        text=True,
    )


def test_installed_under_one_name_only(tmp_path):
    program = (
        "import importlib.util, tfdpzoo.cli, tfdpzoo.zoo, tfdpzoo.zoo.smoothnet\n"
        "print(importlib.util.find_spec('zoo'), importlib.util.find_spec('cli'))"
    )
    # In another folder, so that only the installed packages can be found.
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout == "None None\n"


def test_built_with_every_package_and_a_new_model(tmp_path):
    unwanted = shutil.ignore_patterns("__pycache__")
    for folder in ("tfdpzoo", "zoo", "cli"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=unwanted)
    for file in ("pyproject.toml", "setup.py", "LICENSE"):
        shutil.copy(ROOT / file, tmp_path)
    (tmp_path / "README.md").touch()
    new = tmp_path / "zoo" / "new_model"
    (new / "recipes").mkdir(parents=True)
    for file in ("__init__.py", "CARD.md", "recipes/first.toml"):
        (new / file).touch()

    subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build", "--build-base", "out"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )

    built = tmp_path / "out" / "lib"
    wanted = {
        Path("tfdpzoo", *prefix, file.relative_to(tmp_path / folder))
        for folder, prefix in (("tfdpzoo", ()), ("zoo", ("zoo",)), ("cli", ("cli",)))
        for file in (tmp_path / folder).rglob("*")
        if file.suffix in (".py", *DATA[folder])
    }
    assert {file.relative_to(built) for file in built.rglob("*") if file.is_file()} == wanted


def test_console_script():
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="tfdpzoo")
    assert script.value == "tfdpzoo.cli.main:main"


def test_python_versions():
    accepted = SpecifierSet(importlib.metadata.metadata("tfdpzoo")["Requires-Python"])
    assert [
        version
        for version in ("3.9.18", "3.10.0", "3.10.13", "3.11.0", "3.11.14", "3.12.0", "3.13.0")
        if version in accepted
    ] == ["3.10.0", "3.10.13", "3.11.0", "3.11.14"]


def test_each_python_has_one_version_of_every_pinned_package():
    sides: dict[str, list[str | None]] = {}
    for pin in pins():
        sides.setdefault(pin[1], []).append(pin[2])
    assert all(found in ([None], ["<"], [">="], ["<", ">="]) for found in sides.values())


def test_everything_installed_is_pinned():
    reached: set[tuple[str, str]] = set()
    closure(Requirement("tfdpzoo[test]"), reached)
    names = {name for name, _ in reached} - {"tfdpzoo"}
    assert len(names) > 50
    assert names - {pin[1] for pin in pins()} == set()


@pytest.mark.parametrize("file", ["constraints.txt", "pyproject.toml", "Makefile", ".ci/run"])
def test_no_address_of_a_registry(file):
    text = (ROOT / file).read_text()
    assert "://" not in text
    assert not re.search(r"index.url", text)


@pytest.mark.parametrize("version", ["3.9.18", "3.12.1", "3.13.0"])
def test_unsuitable_python_gets_one_sentence(tmp_path, version):
    fake_python(tmp_path, "python3", version)
    done = find_python(tmp_path)
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout == (
        f"tfdpzoo needs Python 3.10 or 3.11; found {version} (python3): install one of the two, "
        "or give its path as PYTHON=PATH\n"
    )


def test_no_python_gets_one_sentence(tmp_path):
    assert find_python(tmp_path).stdout.startswith("tfdpzoo needs Python 3.10 or 3.11; found none:")


def test_suitable_python_is_found_behind_an_unsuitable_one(tmp_path):
    fake_python(tmp_path, "python3", "3.13.0")
    suitable = fake_python(tmp_path, "python3.10", "3.10.4")
    assert find_python(tmp_path).stdout == f"{suitable}\n"
    assert "found 3.13.0" in find_python(tmp_path, python="python3").stdout


def test_python_that_makes_no_environments_gets_one_sentence(tmp_path):
    fake_python(tmp_path, "python3", "3.11.2", venv=False)
    assert find_python(tmp_path).stdout == (
        "Python 3.11.2 has no 'ensurepip', which makes virtual environments: install it, "
        "on Debian and Ubuntu with 'apt install python3.11-venv'\n"
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_stops_with_the_sentence(tmp_path, target):
    for file in ("Makefile", "pyproject.toml", "setup.py", "constraints.txt"):
        shutil.copy(ROOT / file, tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    fake = fake_python(tmp_path, "python", "3.13.0")
    # These tests may run inside `make test`, whose settings must not reach this make.
    inherited = {name: os.environ[name] for name in os.environ if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", target, f"PYTHON={fake}", "VENV=.venv"],
        cwd=tmp_path,
        env=inherited,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "tfdpzoo needs Python 3.10 or 3.11; found 3.13.0" in done.stderr
    assert not (tmp_path / ".venv").exists()
