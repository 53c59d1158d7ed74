"""Arrays inside a NumPy archive, of which single rows are read from the file."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from tfdpzoo.data.indexed import IndexedImages
from tfdpzoo.errors import InputError

# In bytes, as the format of ZIP files has it: the fixed part of the header before a file in it, and
# where in that the lengths of the two parts after it are.
_HEADER, _LENGTHS = 30, slice(26, 30)
_READ_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class ArrayHeader:
    """What an archive says of an array before its numbers.

    Attributes:
        name: Of the array.
        shape: Of the array.
        fortran_order: Whether the first axis is the one that changes fastest.
        dtype: Of its numbers.
        size: Of the header, in bytes.
        compressed: Whether the archive is compressed.
    """

    name: str
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype
    size: int
    compressed: bool


@dataclass(frozen=True, eq=False)
class StoredImages(IndexedImages):
    """Images in an uncompressed archive, read from the file one by one; see `stored_images`."""

    path: Path
    start: int

    def read(self, indices: npt.NDArray[np.intp], out: npt.NDArray[np.uint8]) -> None:
        """Reads some images from the file into an array."""
        size = self.nbytes // len(self)
        # Not a memory map: what a process has read of one counts as its memory.
        try:
            with self.path.open("rb") as file:
                for row, index in zip(out, indices, strict=True):
                    file.seek(self.start + int(index) * size)
                    if file.readinto(row.data) != size:
                        raise EOFError
        except (OSError, EOFError) as error:
            raise InputError(
                f"The file {self.path} was removed or changed while it was in use; put it back."
            ) from error


def read_array_header(path: Path, name: str) -> ArrayHeader:
    """Reads what an archive says of one of its arrays.

    Args:
        path: An `.npz` file.
        name: The array's name in it.

    Raises:
        ValueError: There is no such array; the other errors are those of `zipfile` and of reading
            files.
    """
    member = f"{name}.npy"
    with zipfile.ZipFile(path) as archive:
        if member not in archive.namelist():
            raise ValueError(f"{name} is no array")
        compressed = archive.getinfo(member).compress_type != zipfile.ZIP_STORED
        with archive.open(member) as file:
            return _header(file, name, compressed)


def _header(file: IO[bytes], name: str, compressed: bool) -> ArrayHeader:
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"the array {name} is of the unknown version {version}")
    shape, fortran_order, dtype = read(file)
    return ArrayHeader(name, shape, fortran_order, dtype, file.tell(), compressed)


def stored_images(path: Path, header: ArrayHeader) -> StoredImages:
    """Returns the images of an archive's array, after a look at its checksum.

    Args:
        path: An `.npz` file.
        header: Of an array `(examples, height, width)` or `(examples, height, width, channels)`.

    Raises:
        InputError: The array cannot be read row by row.
    """
    if header.compressed or header.fortran_order or header.dtype != np.uint8:
        raise InputError(
            f"The array {header.name!r} of {path} is above the memory limit, and images can be "
            "read one by one only from an uncompressed archive of uint8 in C order; write it anew "
            "with np.savez(file, ...) and images.astype('uint8', order='C'), or raise "
            "--memory-limit."
        )
    examples, height, width, channels = (*header.shape, 1)[:4]
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(f"{header.name}.npy")
        _require_intact(archive, member)
    with path.open("rb") as file:
        lengths = os.pread(file.fileno(), _HEADER, member.header_offset)[_LENGTHS]
    variable = sum(np.frombuffer(lengths, "<u2").tolist())
    start = member.header_offset + _HEADER + variable + header.size
    return StoredImages((examples, height, width, channels), path, start)


def _require_intact(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Reads a file of an archive to its end, where its checksum is looked at."""
    with archive.open(member) as file:
        while file.read(_READ_AT_ONCE):
            pass
