"""A gallery of models of all kinds, built once, and a browser that looks at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import card_models
import pytest

from tfdpzoo.gallery.site import build_gallery
from tfdpzoo.registry.aliases import set_alias

HTML_NAME = "<b>bold & co"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    card_models.export_full(folder / "alpha" / "2")
    shutil.copytree(folder / "alpha" / "2", folder / "alpha" / "10")
    set_alias(folder / "alpha", "champion", 10)
    card_models.export_full(folder / HTML_NAME / "1", dataset=card_models.SCRIPT)
    card_models.export_invalid(folder / "seeded" / "1")
    shutil.copytree(folder / "seeded" / "1", folder / "broken" / "1")
    (folder / "broken" / "1" / "saved_model.pb").write_bytes(b"something else")
    (folder / "notes").mkdir()
    (folder / "README.md").touch()
    return folder


@pytest.fixture(scope="session")
def site(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gallery") / "site"
    build_gallery(models, out)
    return out


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    executable = shutil.which("chromium")
    if executable is None:
        missing = "there is no chromium on the PATH to look at the pages with"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield launched
        launched.close()
