"""Conversions begin with a model that verifies, and a copy is as good as it."""

from __future__ import annotations

import filecmp
import resource
import shutil
from pathlib import Path

import pytest

from tfdpzoo.conversion.conversion import convert
from tfdpzoo.conversion.original import Original
from tfdpzoo.conversion.saved_model_copy import copy_saved_model
from tfdpzoo.errors import InputError
from tfdpzoo.verification import verify
from tfdpzoo.version_folder import weights_digest
from tfdpzoo.zoo import catalog


def test_it_knows_what_was_released(original) -> None:
    assert weights_digest(original.weights()) == original.guarantee.provenance.weights_sha256
    assert original.image_shape == (8, 8, 3)


def test_an_altered_model_is_refused(with_recipe: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(with_recipe, tmp_path / "1"))
    (folder / "assets.extra" / "classes.json").write_text('["another"]')

    with pytest.raises(InputError) as refusal:
        convert(folder, "onnx", tmp_path / "model.onnx", builder=catalog.build)

    assert str(refusal.value) == (
        f"{folder} is not exported, because it does not verify: The file assets.extra/classes.json "
        "was altered: it does not have the digest in assets.extra/privacy.json."
    )
    assert not (tmp_path / "model.onnx").exists()


def test_a_copy_has_the_same_files(original, tmp_path: Path) -> None:
    copy_saved_model(original, tmp_path / "new" / "7")

    assert verify(tmp_path / "new" / "7").ok
    compared = filecmp.dircmp(original.folder, tmp_path / "new" / "7")
    assert not compared.left_only + compared.right_only + compared.diff_files
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["7"]


def test_a_copy_that_went_wrong_is_removed(original, nothing_left: Path, monkeypatch) -> None:
    copy = shutil.copyfile

    def wrongly(source, destination):
        copy(source, destination)
        if destination.name == "saved_model.pb":
            destination.write_bytes(b"")

    monkeypatch.setattr(shutil, "copyfile", wrongly)
    with pytest.raises(InputError, match="does not verify, so it was removed: The file saved_mo"):
        copy_saved_model(original, nothing_left / "7")


def test_a_full_disk_is_told(original, nothing_left: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(InputError, match=r"new/7 cannot be written: File too large\.$"):
            copy_saved_model(original, nothing_left / "new" / "7")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_class_names_are_read(original: Original, plain_original: Original) -> None:
    assert original.class_names is not None
    assert original.class_names[3] == "däikon"
    assert plain_original.class_names is None
