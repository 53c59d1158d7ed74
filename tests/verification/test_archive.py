"""Zip archives: whole models pass, whatever might do harm is refused, nothing is left behind."""

from __future__ import annotations

import dataclasses
import random
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from stand_in import StandIn

from tfdpzoo.errors import InputError
from tfdpzoo.saved_model import export
from tfdpzoo.verification import verify
from tfdpzoo.verification.archive import ArchiveLimits, unpacked

GRAPH = "saved_model.pb"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder, `small/`, with one version."""
    folder = tmp_path_factory.mktemp("models") / "small"
    export(StandIn(), folder / "1", class_names="abcd")
    return folder


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where archives are unpacked; empty before and after."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def written(path: Path, entries: dict[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def refusal(path: Path, **limits: int) -> str:
    with (
        pytest.raises(InputError) as caught,
        unpacked(path, dataclasses.replace(ArchiveLimits(), **limits)),
    ):
        raise AssertionError("it was unpacked")
    return str(caught.value).replace(f"{path}", "ZIP")


@pytest.mark.parametrize("root", ["small/1", "small", "."])
def test_a_zip_of_a_folder_verifies(model: Path, tmp_path: Path, root: str) -> None:
    """Of a version with its name, of a model, and of what lies in a version."""
    if root == ".":
        made = shutil.make_archive(str(tmp_path / "zipped"), "zip", model / "1")
    else:
        made = shutil.make_archive(str(tmp_path / "zipped"), "zip", model.parent, root)
    report = verify(made)
    assert report.ok, report.problems
    assert report.files_checked
    assert report.path is None
    assert report.subject == made


def test_the_newest_version_is_taken(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "small")
    shutil.copytree(model / "1", tmp_path / "small" / "2")
    (tmp_path / "small" / "1" / GRAPH).write_bytes(b"altered")
    (tmp_path / "small" / "aliases.json").write_text("{}")
    made = shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path, "small")
    assert verify(made).ok


def test_an_altered_model_in_a_zip_is_found(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "small")
    (tmp_path / "small" / "1" / GRAPH).write_bytes(b"altered")
    report = verify(shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path, "small"))
    assert not report.ok
    assert report.problems[0].startswith("The file saved_model.pb was altered")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil", "leads out of the archive with '..'"),
        ("small/../../evil", "leads out of the archive with '..'"),
        ("/etc/evil", "has an absolute path"),
        ("small\\evil", "has a character in its name that no file of a model has"),
        ("..\\evil", "has a character in its name that no file of a model has"),
        ("small//evil", "has no plain path"),
        ("./evil", "has no plain path"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str, reason: str) -> None:
    path = written(tmp_path / "evil.zip", {GRAPH: b"graph", name: b"evil"})
    assert refusal(path) == f"ZIP is refused: its entry {name!r} {reason}."
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("variables")
    entry.external_attr = (kind | 0o777) << 16
    path = written(tmp_path / "evil.zip", {GRAPH: b"graph", entry: b"/etc"})
    assert "its entry 'variables' is a link or something else" in refusal(path)


@pytest.mark.parametrize("again", [GRAPH, f"{GRAPH}/"])
def test_names_that_come_twice_are_refused(tmp_path: Path, again: str) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(GRAPH, b"one")
        with pytest.warns(UserWarning) if again == GRAPH else _nothing():
            archive.writestr(again, b"another" if again == GRAPH else b"")
    assert "comes twice" in refusal(path)


def test_a_file_that_is_a_folder_as_well_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "evil.zip", {"small": b"file", "small/1": b"within"})
    assert refusal(path).startswith("ZIP cannot be unpacked: ")


def test_encrypted_entries_are_refused(tmp_path: Path) -> None:
    """Python writes none; the flag in both headers is what makes one."""
    path = written(tmp_path / "evil.zip", {GRAPH: b"graph"})
    content = bytearray(path.read_bytes())
    for header, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + offset] |= 1
    path.write_bytes(content)
    assert refusal(path) == f"ZIP is refused: its entry {GRAPH!r} is encrypted."


def test_unusual_compression_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr(GRAPH, b"graph")
    assert "is compressed by a method other than deflate" in refusal(path)


def test_bombs_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(GRAPH, bytes(1 << 20))
    assert path.stat().st_size < 1 << 12
    assert refusal(path, unpacked_bytes=(1 << 20) - 1) == (
        "ZIP is refused: unpacked it would take more than 1,048,575 bytes."
    )


def test_a_size_that_is_a_lie_is_found_while_unpacking(tmp_path: Path) -> None:
    """The directory says one byte; more come out, and the checksum is not theirs."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(GRAPH, bytes(1 << 20))
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = (1).to_bytes(4, "little")
    path.write_bytes(content)
    assert "is not a zip archive that can be read" in refusal(path)


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "many.zip", {f"{i}": b"" for i in range(11)})
    assert refusal(path, entries=10) == "ZIP holds 11 entries; at most 10 are unpacked."


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    path.write_bytes(b"this is no zip")
    assert refusal(path) == (
        "ZIP is not a zip archive that can be read: it is of another kind, damaged or only a part "
        "of one."
    )
    assert refusal(tmp_path / "none.zip").endswith("cannot be unpacked: No such file or directory.")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_part_of_a_zip_is_refused(model: Path, tmp_path: Path, share: float) -> None:
    whole = Path(shutil.make_archive(str(tmp_path / "zipped"), "zip", model))
    path = tmp_path / "part.zip"
    path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    assert "is not a zip archive that can be read" in refusal(path)


def test_a_zip_whose_content_was_altered_is_refused(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "stored.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(model / "1" / GRAPH, GRAPH)
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    assert "is not a zip archive that can be read" in refusal(path)


def test_a_damaged_zip_never_fails_otherwise(tmp_path: Path, scratch: Path) -> None:
    """Whatever bytes change, it is unpacked or refused, and nothing is left or lies outside."""
    path = written(tmp_path / "small.zip", {GRAPH: b"graph" * 50, "variables/variables": b"w" * 9})
    intact = path.read_bytes()
    generator = random.Random(0)
    outcomes = set()
    for _ in range(400):
        altered = bytearray(intact)
        for _ in range(generator.randint(1, 3)):
            altered[generator.randrange(len(altered))] = generator.randrange(256)
        path.write_bytes(
            altered[: generator.choice([None, None, generator.randrange(len(intact))])]
        )
        try:
            with unpacked(path) as folder:
                outcomes.add((folder / GRAPH).exists())
        except InputError as error:
            outcomes.add("refused")
            assert str(error).startswith(str(path))
        assert {each.name for each in tmp_path.iterdir()} == {"scratch", "small.zip"}
        assert not list(scratch.iterdir())
    assert "refused" in outcomes


@pytest.mark.parametrize("entries", [{}, {"readme.txt": b"hello"}, {"a/b/c.txt": b"deep"}])
def test_a_zip_without_a_model_is_refused(tmp_path: Path, entries: dict[str, bytes]) -> None:
    path = written(tmp_path / "other.zip", entries)
    assert refusal(path) == (
        "ZIP holds neither a SavedModel (saved_model.pb) nor numbered versions of one."
    )


def test_what_fails_in_the_block_is_not_hidden(model: Path, tmp_path: Path) -> None:
    path = shutil.make_archive(str(tmp_path / "zipped"), "zip", model)
    with pytest.raises(ValueError, match="mine"), unpacked(path):
        raise ValueError("mine")


def _nothing() -> Callable[..., object]:
    import contextlib

    return contextlib.nullcontext()
