"""Two versions side by side."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.registry.comparison import ComparedFact, compare


def facts(first: Path, second: Path) -> dict[str, ComparedFact]:
    return {each.name: each for each in compare(first, second)}


def test_a_version_does_not_differ_from_itself(exported: Path) -> None:
    assert not any(each.differs for each in compare(exported, exported))


def test_what_differs_is_found(exported: Path, better: Path) -> None:
    found = facts(exported, better)

    assert (found["accuracy"].first, found["accuracy"].second) == (0.75, 0.9)
    assert found["weights"].differs
    assert (found["privacy.epsilon"].first, found["privacy.epsilon"].second) == (4.0, 8.0)
    assert not found["privacy.batch_size"].differs
    assert not found["epsilon"].differs


def test_a_version_without_a_recipe_is_compared_all_the_same(
    exported: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(exported, bare)
    (bare / "assets.extra" / "model.json").unlink()
    record = bare / "assets.extra" / "privacy.json"
    fields = json.loads(record.read_text())
    del fields["files"]["assets.extra/model.json"]
    record.write_text(json.dumps(fields))
    found = facts(exported, bare)

    assert found["privacy.epochs"].second is None
    assert found["privacy.epochs"].differs
    assert not found["epsilon"].differs


def test_a_version_that_cannot_be_read_is_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no assets\.extra/privacy\.json"):
        compare(exported, tmp_path)
