"""The examples in docstrings run.

pytest's own `--doctest-modules` would import the files of zoo/ and cli/ a second time, as bare
`zoo` and `cli`; here every module is imported under its installed name.
"""

from __future__ import annotations

import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"tfdpzoo": "tfdpzoo", "zoo": "tfdpzoo.zoo", "cli": "tfdpzoo.cli"}


def modules_with_examples() -> Iterator[str]:
    for folder, package in PACKAGES.items():
        for file in sorted((ROOT / folder).rglob("*.py")):
            if ">>> " in file.read_text(encoding="utf-8"):
                inside = file.relative_to(ROOT / folder).with_suffix("").parts
                yield ".".join((package, *(part for part in inside if part != "__init__")))


@pytest.mark.parametrize("module", list(modules_with_examples()))
def test_examples_of_module(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = doctest.testmod(
        importlib.import_module(module),
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
    )
    assert outcome.failed == 0
