"""One small exported model with a recipe, one without, and what reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from converted import CLASS_NAMES, export_by_recipe
from stand_in import StandIn

from tfdpzoo.conversion.carried_record import CarriedRecord
from tfdpzoo.conversion.original import Original
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.saved_model import export
from tfdpzoo.zoo import catalog


@pytest.fixture(scope="session")
def with_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = catalog.build(
        "tanh_cnn", input_shape=(8, 8, 3), classes=len(CLASS_NAMES), layout="cifar10-small"
    )
    path = tmp_path_factory.mktemp("models") / "tanh" / "1"
    return export_by_recipe(model, path, architecture={"layout": "cifar10-small"})


@pytest.fixture(scope="session")
def without_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(StandIn(), tmp_path_factory.mktemp("models") / "small" / "2")


@pytest.fixture(scope="session")
def original(with_recipe: Path) -> Original:
    return Original.open(with_recipe)


@pytest.fixture(scope="session")
def plain_original(without_recipe: Path) -> Original:
    """It knows neither its recipe nor the names of its classes."""
    return Original.open(without_recipe)


@pytest.fixture(scope="session")
def guarantee() -> PrivacyGuarantee:
    return StandIn().guarantee().with_weights("ab" * 32)


@pytest.fixture(scope="session")
def record(guarantee: PrivacyGuarantee) -> CarriedRecord:
    return CarriedRecord(guarantee, CLASS_NAMES, "tfdpzoo 0.1.0")


@pytest.fixture
def nothing_left(tmp_path: Path) -> Iterator[Path]:
    """A folder in which the test must leave what was in it when it began."""
    folder = tmp_path / "folder"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []
