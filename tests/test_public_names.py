from __future__ import annotations

import importlib
from importlib import metadata

import pytest

import tfdpzoo


def test_every_public_name_is_what_its_module_holds() -> None:
    for name in tfdpzoo.__all__:
        value = getattr(tfdpzoo, name)
        assert getattr(importlib.import_module(value.__module__), name) is value
        assert name in dir(tfdpzoo)


def test_functions_are_not_hidden_by_modules_of_their_name() -> None:
    # Importing a submodule puts it on the package, under its name.
    importlib.import_module("tfdpzoo.training")

    for name in ("build", "export", "verify"):
        assert callable(getattr(tfdpzoo, name))


def test_the_version_is_the_installed_one() -> None:
    assert tfdpzoo.__version__ == metadata.version("tfdpzoo")


def test_an_unknown_name_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="module 'tfdpzoo' has no attribute 'biuld'"):
        tfdpzoo.biuld  # noqa: B018
