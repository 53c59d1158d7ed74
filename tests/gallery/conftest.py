"""A gallery of models of all kinds, built once, and a browser that looks at it."""

from __future__ import annotations

import shutil
from pathlib import Path

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
