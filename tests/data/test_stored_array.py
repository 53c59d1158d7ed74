import zipfile

import numpy as np
import pytest
from image_sources import TEST, TRAIN, write_npz

from tfdpzoo.data.stored_array import read_array_header, stored_images
from tfdpzoo.errors import InputError

LITTLE = 1000
HINT = "is above the memory limit, and images can be read one by one only from an uncompressed"


def test_images_without_an_axis_of_channels_get_one(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 9), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", before=np.arange(3.0), images=images, after=np.arange(7))
    found = stored_images(tmp_path / "a.npz", read_array_header(tmp_path / "a.npz", "images"))
    assert found.shape == (5, 8, 9, 1)
    np.testing.assert_array_equal(found.take([4, 0, 4])[..., 0], images[[4, 0, 4]])


def test_an_archive_that_other_programs_packed(tmp_path):
    # Its header has parts that NumPy does not write.
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 9), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    member = zipfile.ZipInfo("images.npy")
    member.extra = b"\x99\x99\x04\x00abcd"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(member, (tmp_path / "images.npy").read_bytes())
    found = stored_images(tmp_path / "a.npz", read_array_header(tmp_path / "a.npz", "images"))
    np.testing.assert_array_equal(found.take(np.arange(5))[..., 0], images)


@pytest.mark.parametrize(
    "write",
    [
        lambda root: write_npz(root, np.savez_compressed),
        lambda root: write_npz(root, train_images=np.ones((TRAIN, 12, 12, 1), np.float32)),
        lambda root: write_npz(
            root, test_images=np.asfortranarray(np.ones((TEST, 12, 12, 1), np.uint8))
        ),
    ],
    ids=["compressed", "floats", "Fortran order"],
)
def test_what_cannot_be_read_row_by_row_is_refused_only_above_the_limit(tmp_path, write):
    source = write(tmp_path)
    with pytest.raises(InputError, match=HINT):
        source.load(LITTLE)


def test_compressed_archives_are_read_below_the_limit(tmp_path):
    assert write_npz(tmp_path, np.savez_compressed).load(10**6).in_memory


def test_a_damaged_archive_is_refused_before_it_is_used(tmp_path):
    source = write_npz(tmp_path)
    path = tmp_path / "photos.npz"
    content = bytearray(path.read_bytes())
    content[1000:1010] = bytes(10)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"photos.npz cannot be read as a NumPy .* \(Bad"):
        source.load(LITTLE)


def test_an_archive_that_is_cut_or_removed_later_is_a_sentence(tmp_path):
    images = write_npz(tmp_path).load(LITTLE).test_images
    path = tmp_path / "photos.npz"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match="photos.npz was removed or changed while it was in use"):
        images.take([8])
    path.unlink()
    with pytest.raises(InputError, match="photos.npz was removed or changed while it was in use"):
        images.take([0])


def test_a_member_that_is_no_array_is_refused(tmp_path):
    write_npz(tmp_path)
    with zipfile.ZipFile(tmp_path / "photos.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "photos.npz", "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("train_images.npy", "train_images"), content)
    with pytest.raises(ValueError, match="train_images is no array"):
        read_array_header(tmp_path / "photos.npz", "train_images")
