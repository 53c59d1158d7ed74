"""The index is derived from the folders and never the truth."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from tfdpzoo.foreign_text import printable
from tfdpzoo.registry import index
from tfdpzoo.registry.aliases import set_alias
from tfdpzoo.registry.index import registered_version, registered_versions
from tfdpzoo.registry.registration import register
from tfdpzoo.registry.removal import remove_version
from tfdpzoo.registry.version_facts import VersionFacts


@pytest.fixture
def registry(exported: Path, better: Path, models: Path) -> Path:
    for name, source in (("small", exported), ("small", better), ("other", exported)):
        number = str(len(list((models / name).glob("*"))) + 1)
        shutil.copytree(source, models / name / number)
    set_alias(models / "small", "champion", 2)
    return models


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions whose own files were read, and not the index."""
    read: list[str] = []
    original = VersionFacts.read

    def noted(folder: Path) -> VersionFacts:
        read.append(f"{folder.parent.name}:{folder.name}")
        return original(folder)

    monkeypatch.setattr(VersionFacts, "read", noted)
    return read


def test_the_facts_are_those_of_the_files(registry: Path) -> None:
    found = registered_versions(registry)

    assert [each.reference for each in found] == ["other:1", "small:1", "small:2"]
    newest = found[2]
    assert newest.aliases == ("champion",)
    assert newest.facts is not None
    assert newest.facts.epsilon == pytest.approx(2.3828, abs=1e-4)
    assert (newest.facts.delta, newest.facts.valid) == (1e-4, True)
    assert (newest.facts.accuracy, newest.facts.parameters) == (0.9, 696)
    assert (newest.facts.model, newest.facts.recipe) == ("small", "test")
    assert newest.facts.dataset == "digits"
    assert newest.facts.date.startswith("20")
    assert len(newest.facts.digest) == 64
    assert newest == registered_version(registry / "small" / "2")


def test_only_what_changed_is_read_again(registry: Path, better: Path, read: list[str]) -> None:
    first = registered_versions(registry)
    assert read == ["other:1", "small:1", "small:2"]
    read.clear()
    assert registered_versions(registry) == first
    assert read == []

    register(better, "small", registry)
    assert [each.version for each in registered_versions(registry)] == [1, 1, 2, 3]
    assert read == ["small:3"]
    read.clear()

    remove_version(registry / "small", 1)
    assert [each.reference for each in registered_versions(registry)][1:] == ["small:2", "small:3"]
    assert read == []
    assert "small/1" not in json.loads((registry / "index.json").read_text())["versions"]


def test_a_version_that_changed_is_read_again(
    registry: Path, better: Path, read: list[str]
) -> None:
    registered_versions(registry)
    read.clear()
    # Somebody replaces a version by hand, with files of the same size and times.
    shutil.rmtree(registry / "other" / "1")
    shutil.copytree(better, registry / "other" / "1")

    (changed, *_) = registered_versions(registry)

    assert read == ["other:1"]
    assert changed.facts is not None
    assert changed.facts.accuracy == 0.9


def test_aliases_are_never_cached(registry: Path) -> None:
    registered_versions(registry)
    set_alias(registry / "small", "champion", 1)

    assert [each.aliases for each in registered_versions(registry)] == [(), ("champion",), ()]


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"format": "tfdpzoo index 0", "versions": {}}',
        b'{"format": "tfdpzoo index 1"}',
        b'{"format": "tfdpzoo index 1", "versions": []}',
        b'{"format": "tfdpzoo index 1", "versions": {"small/1": {"stamp": 1, "facts": {}}}}',
        b"[" * 100_000,
    ],
)
def test_a_lost_or_damaged_index_loses_nothing(registry: Path, content: bytes | None) -> None:
    expected = registered_versions(registry)
    intact = json.loads((registry / "index.json").read_text())
    (registry / "index.json").unlink()
    if content is not None:
        (registry / "index.json").write_bytes(content)

    assert registered_versions(registry) == expected
    assert json.loads((registry / "index.json").read_text()) == intact
    assert sorted(os.listdir(registry)) == ["index.json", "other", "small"]


def test_an_unreadable_version_hides_no_other(registry: Path) -> None:
    (registry / "small" / "1" / "assets.extra" / "privacy.json").write_text("{}")
    (registry / "small" / "3").mkdir()
    facts = registry / "other" / "1" / "assets.extra" / "model.json"
    facts.write_text(facts.read_text().replace('"parameters": 696', '"parameters": 6'))

    found = {each.reference: each for each in registered_versions(registry)}

    assert found["small:2"].facts is not None
    assert (
        found["small:1"].problem == "assets.extra/privacy.json lacks the digests of the "
        "model's files."
    )
    assert found["small:3"].problem is not None
    assert "There is no assets.extra/privacy.json" in found["small:3"].problem
    assert found["other:1"].problem is not None
    assert "model.json was altered" in found["other:1"].problem
    assert found["other:1"].facts is None


def test_a_damaged_alias_hides_no_version(registry: Path) -> None:
    (registry / "small" / ".aliases" / "champion").write_text("two")

    found = registered_versions(registry)

    assert all(each.facts is not None for each in found)
    assert [each.problem is None for each in found] == [True, False, False]
    assert "champion is damaged" in str(found[1].problem)


def test_a_registry_that_cannot_be_written_to_is_listed(
    registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(index, "replace_among_others", refused)

    assert len(registered_versions(registry)) == 3
    assert not (registry / "index.json").exists()


def test_what_could_steer_a_terminal_is_not_told(registry: Path) -> None:
    assert printable("a\x1b[31mb\nc\u202e") == "a\ufffd[31mb\ufffdc\ufffd"
    record = registry / "small" / "1" / "assets.extra" / "privacy.json"
    record.write_text(record.read_text().replace('"saved_model.pb"', '"\\u001b[2J.pb"'))

    (_, altered, _) = registered_versions(registry)

    assert altered.problem == "The file \ufffd[2J.pb is missing."


def test_a_thousand_versions_are_listed_quickly(exported: Path, models: Path) -> None:
    """The files of a version are links here: it is the number of versions that counts."""
    for number in range(1000):
        folder = models / f"model-{number % 50}" / str(number // 50 + 1)
        folder.mkdir(parents=True)
        for each in exported.iterdir():
            (folder / each.name).symlink_to(each)
    assert len(registered_versions(models)) == 1000

    began = time.perf_counter()
    found = registered_versions(models)
    seconds = time.perf_counter() - began

    assert len(found) == 1000
    # It takes 0.03 s where nothing else runs.
    assert seconds < 1.0
