"""Images from a NumPy archive."""

from __future__ import annotations

import difflib
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tfdpzoo.data.dataset import ImageDataset, Normalization
from tfdpzoo.data.indexed import Images, are_within
from tfdpzoo.data.pixels import as_labels, as_pixels, check_image_shape
from tfdpzoo.data.stored_array import read_array_header, stored_images
from tfdpzoo.errors import InputError

_NAMES = {
    "train_images": "x_train",
    "train_labels": "y_train",
    "test_images": "x_test",
    "test_labels": "y_test",
}
"""Our names of the arrays, and Keras' names, which are read as well."""

_READING_ERRORS = (
    OSError,
    ValueError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_npz(path: str | Path, *, memory_limit: int | None = None) -> ImageDataset:
    """Loads images from an `.npz` file.

    The file holds the arrays `train_images`, `train_labels`, `test_images` and `test_labels`, or
    in Keras' naming `x_train`, `y_train`, `x_test` and `y_test`. Images are [n, height, width] or
    [n, height, width, channels] with 1 or 3 channels and pixels from 0 to 255; labels are integers
    from 0 on. An optional array `class_names` of strings names the classes; without it they are
    called by their number, up to the highest training label. Pickled objects are never loaded.

    Args:
        path: The file.
        memory_limit: How many bytes the images of both splits may take; above that each is read
            from the file whenever it is used, which must be uncompressed, as `np.savez` writes it,
            and hold images of type uint8. None for half of the free memory.

    Returns:
        The data set, named after the file.

    Raises:
        InputError: The file cannot be read, or an array is missing or does not fit.
    """
    path = Path(path).expanduser()
    arrays, images = _read(path, memory_limit)
    train_labels = as_labels(arrays["train_labels"], f"{path.stem}: train_labels")
    return ImageDataset(
        name=path.stem,
        train_images=images["train_images"],
        train_labels=train_labels,
        test_images=images["test_images"],
        test_labels=arrays["test_labels"],
        class_names=_class_names(path, arrays.get("class_names"), train_labels),
        normalization=Normalization.centered(images["train_images"].shape[3]),
    )


def _read(path: Path, memory_limit: int | None) -> tuple[dict[str, np.ndarray], dict[str, Images]]:
    """Returns the arrays that are small by their nature, and the images."""
    try:
        archive = np.load(path, allow_pickle=False)
    except _READING_ERRORS as error:
        raise _unreadable(path, error) from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise InputError(f"The file {path} holds a single array; an .npz with four is expected.")
    with archive:
        names = {ours: _find(path, archive.files, ours, keras) for ours, keras in _NAMES.items()}
        if "class_names" in archive.files:
            names["class_names"] = "class_names"
        of_images = {ours: names.pop(ours) for ours in _NAMES if ours.endswith("images")}
        try:
            images = _read_images(path, archive, of_images, memory_limit)
            return {ours: archive[name] for ours, name in names.items()}, images
        except InputError:
            raise
        except _READING_ERRORS as error:
            raise _unreadable(path, error) from error


def _read_images(
    path: Path,
    archive: np.lib.npyio.NpzFile,
    names: Mapping[str, str],
    memory_limit: int | None,
) -> dict[str, Images]:
    headers = {ours: read_array_header(path, name) for ours, name in names.items()}
    if are_within(memory_limit, [header.shape for header in headers.values()]):
        return {
            ours: as_pixels(archive[name], f"{path.stem}: {ours}") for ours, name in names.items()
        }
    for ours, header in headers.items():
        check_image_shape(header.shape, f"{path.stem}: {ours}")
    return {ours: stored_images(path, header) for ours, header in headers.items()}


def _find(path: Path, present: list[str], ours: str, keras: str) -> str:
    for name in (ours, keras):
        if name in present:
            return name
    known = {name for pair in _NAMES.items() for name in pair}
    unused = [name for name in present if name not in known]
    near = [
        match for name in (ours, keras) for match in difflib.get_close_matches(name, unused, n=1)
    ]
    hint = f"; did you mean {' or '.join(repr(match) for match in dict.fromkeys(near))}?"
    raise InputError(
        f"The file {path} has no array {ours!r} (or {keras!r}){hint if near else '.'} "
        f"It holds: {', '.join(sorted(present)) or 'nothing'}."
    )


def _class_names(path: Path, names: np.ndarray | None, labels: np.ndarray) -> tuple[str, ...]:
    if names is None:
        classes = int(labels.max()) + 1 if labels.size else 0
        if classes > labels.size:
            raise InputError(
                f"{path.stem}: train_labels has labels out of range: {classes - 1} with only "
                f"{labels.size} training images; classes count from 0 without gaps."
            )
        return tuple(str(label) for label in range(classes))
    if names.ndim != 1 or names.dtype.kind != "U":
        raise InputError(
            f"The array 'class_names' of {path} must be a list of strings, "
            f"not {names.dtype} of shape {names.shape}."
        )
    return tuple(names.tolist())


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"There is no file {path}.")
    if "pickle" in str(error):
        return InputError(
            f"The file {path} holds pickled objects or is no NumPy archive, neither is loaded; "
            "write it with np.savez from plain numeric arrays."
        )
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return InputError(f"The file {path} cannot be read as a NumPy .npz archive ({reason}).")
