"""Models of the tests of cards; each is exported once."""

from __future__ import annotations

from pathlib import Path

import card_models
import pytest

from tfdpzoo.cards.architecture_notes import ArchitectureNotes
from tfdpzoo.cards.context import Card, read_card
from tfdpzoo.registry.aliases import set_alias

NOTES = ArchitectureNotes("Net", "A *small* net.", "- It has <i>limits</i>.")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    card_models.export_full(folder / "full" / "3")
    set_alias(folder / "full", "champion", 3)
    card_models.export_searched(folder / "searched" / "1")
    card_models.export_invalid(folder / "invalid" / "1")
    card_models.export_without_facts(folder / "silent" / "1")
    return folder


@pytest.fixture(scope="session")
def full(models: Path) -> Card:
    return read_card(models / "full", lambda name: NOTES)


@pytest.fixture(scope="session")
def searched(models: Path) -> Card:
    return read_card(models / "searched")


@pytest.fixture(scope="session")
def invalid(models: Path) -> Card:
    return read_card(models / "invalid")


@pytest.fixture(scope="session")
def silent(models: Path) -> Card:
    return read_card(models / "silent")
