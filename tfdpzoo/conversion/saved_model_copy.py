"""A SavedModel at another place."""

from __future__ import annotations

import shutil
from pathlib import Path

from tfdpzoo.conversion.new_place import appearing
from tfdpzoo.conversion.original import Original
from tfdpzoo.errors import InputError
from tfdpzoo.verification.folder import verify_folder


def copy_saved_model(original: Original, path: Path) -> None:
    """Copies a version; the copy verifies as the original did, and has the same files.

    Args:
        original: What to copy.
        path: The new version's folder, which must not exist.

    Raises:
        InputError: The path cannot be written, or the copy does not verify.
    """
    with appearing(path) as place:
        _copy_files(original.folder, place)
        report = verify_folder(place)
        if not report.ok:
            raise InputError(
                f"The copy of {original.folder} does not verify, so it was removed: "
                f"{report.problems[0]}"
            )


def _copy_files(folder: Path, place: Path) -> None:
    """Ends with the first file that cannot be copied, and with the system's reason."""
    place.mkdir()
    for source in sorted(folder.rglob("*")):
        target = place / source.relative_to(folder)
        if source.is_dir():
            target.mkdir()
        else:
            shutil.copyfile(source, target)
