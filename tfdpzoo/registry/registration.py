"""Registration: a SavedModel from anywhere becomes a version of a registered model.

What is registered is what was verified: the files are copied first, and it is the copy that is
verified. It lies in a hidden folder of the model until it becomes a version, see
`tfdpzoo.version_writing`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tfdpzoo.errors import InputError, require_utf8
from tfdpzoo.registry.location import SAVED_MODELS
from tfdpzoo.registry.reference import require_name
from tfdpzoo.version_folder import find_version, read_privacy_file
from tfdpzoo.version_writing import publish_next, staged


def register(path: str | Path, name: str, models: Path = SAVED_MODELS) -> Path:
    """Copies a SavedModel that carries a valid privacy record into the registry, as a new version.

    Any number of processes may register at once, and each gets a number of its own. A process that
    dies leaves no half version.

    Args:
        path: The version's folder, or a model's folder, of which the newest version is taken.
        name: The model's name in the registry; it need not exist.
        models: The registry's folder; it need not exist.

    Returns:
        The version's folder.

    Raises:
        InputError: There is no SavedModel at `path`, it is not what was exported, its guarantee is
            not valid, the name cannot be used, or the registry cannot be written to.

    Example:
        >>> register("runs/somewhere/1", "smoothnet-digits")  # doctest: +SKIP
        PosixPath('saved_models/smoothnet-digits/1')
    """
    require_name("model", name)
    source = find_version(path)
    # What has no record at all is not worth copying.
    check_record(source)
    model = models / name
    try:
        with staged(model) as folder:
            _copy(source, folder)
            _require_valid(folder, source)
            return publish_next(folder, model)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{source} cannot be copied to {model}: {reason}.") from error


def check_record(source: Path) -> None:
    """Checks that a version has a privacy record at all, which is quick.

    Args:
        source: The version's folder.

    Raises:
        InputError: It has none that can be read.
    """
    try:
        read_privacy_file(source)
    except InputError as error:
        raise InputError(f"{source} cannot be registered: {error}") from error


def _require_valid(copy: Path, source: Path) -> None:
    # TensorFlow takes seconds to import.
    from tfdpzoo.verification import verify

    report = verify(copy)
    if report.problems:
        more = len(report.problems) - 1
        others = f" (and {more} more; `tfdpzoo verify` lists them)" if more else ""
        raise InputError(f"{source} cannot be registered: {report.problems[0]}{others}")
    if report.guarantee is None or not report.ok:
        raise InputError(f"{source} cannot be registered: it does not verify.")
    if not report.guarantee.valid:
        raise InputError(
            f"{source} cannot be registered, because its guarantee is not valid: "
            f"{'; '.join(report.guarantee.weaknesses)}."
        )


def _copy(source: Path, target: Path) -> None:
    """Copies files and folders; links are followed, so that the copy depends on nothing else."""
    for each in sorted(source.iterdir()):
        require_utf8("A file of the model", str(each))
        if each.is_dir():
            if source.resolve().is_relative_to(each.resolve()):
                raise InputError(
                    f"{each} is a link to a folder that it lies in, so the model cannot be copied."
                )
            (target / each.name).mkdir()
            _copy(each, target / each.name)
        elif each.is_file():
            shutil.copyfile(each, target / each.name)
        else:
            raise InputError(
                f"{each} is neither a file nor a folder, so the model cannot be copied."
            )
