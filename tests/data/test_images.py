import io

import numpy as np
import pytest
from PIL import Image

from tfdpzoo.data.images import check_image_size, decode_image, read_header, resize_images
from tfdpzoo.errors import InputError


def encoded(image, **options):
    stream = io.BytesIO()
    image.save(stream, **{"format": "PNG", **options})
    stream.seek(0)
    return stream


def test_png_pixels_are_exact():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    decoded = decode_image(encoded(Image.fromarray(pixels)), channels=3, image_size=None)
    np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.parametrize("size", [(20, 40), (40, 20)])
def test_the_centre_of_the_longer_side_is_kept(size):
    height, width = size
    pixels = np.zeros((height, width), np.uint8)
    middle = (slice(10, 30), slice(None)) if height == 40 else (slice(None), slice(10, 30))
    pixels[middle] = 200
    decoded = decode_image(encoded(Image.fromarray(pixels)), channels=1, image_size=20)
    np.testing.assert_array_equal(decoded, np.full((20, 20, 1), 200))


def test_shrinking_averages_and_does_not_alias():
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    decoded = decode_image(encoded(Image.fromarray(stripes)), channels=1, image_size=8)
    # Stripes one pixel wide vanish in the mean grey, up to the window that the border cuts off;
    # picking pixels would give 0 or 255.
    assert np.abs(decoded.astype(int) - 127).max() <= 8


def test_the_orientation_stored_by_a_camera_is_applied():
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    stream = encoded(Image.fromarray(pixels), exif=exif)
    decoded = decode_image(stream, channels=1, image_size=None)
    assert decoded.shape == (16, 8, 1)
    assert decoded[:4].min() == 255
    assert decoded[4:].max() == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_eight_bit_modes_give_the_channels_asked_for(mode, channels):
    image = Image.new("L", (8, 8), 255).convert(mode)
    decoded = decode_image(encoded(image), channels=channels, image_size=None)
    assert decoded.shape == (8, 8, channels)
    assert decoded.min() == 255


def test_transparent_palettes_decode_without_a_warning(recwarn):
    image = Image.new("P", (8, 8))
    image.putpalette([10, 20, 30] * 256)
    stream = encoded(image, transparency=bytes([0] * 256))
    np.testing.assert_array_equal(
        decode_image(stream, channels=3, image_size=None)[0, 0], [10, 20, 30]
    )
    assert not recwarn.list


def test_the_header_tells_size_and_whether_an_image_is_grey(tmp_path):
    Image.new("L", (12, 8)).save(tmp_path / "grey.png")
    Image.new("RGB", (12, 8)).save(tmp_path / "colour.jpg")
    assert read_header(tmp_path / "grey.png") == ((8, 12), True)
    assert read_header(tmp_path / "colour.jpg") == ((8, 12), False)


def test_sixteen_bit_images_are_refused(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match="deep.png has more than 8 bits a pixel; convert it"):
        read_header(tmp_path / "deep.png")


def test_damaged_images_are_named_with_the_reason(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for suffix in ("jpg", "png"):
        path = tmp_path / f"cut.{suffix}"
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(InputError, match=rf"The image .*cut.{suffix} cannot be read \(.+\);"):
            decode_image(path, channels=3, image_size=None)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(InputError, match=r"text.png cannot be read \(it is not a JPEG or PNG im"):
        read_header(tmp_path / "text.png")
    Image.fromarray(noise).save(tmp_path / "other.jpg", format="BMP")
    with pytest.raises(InputError, match=r"other.jpg cannot be read \(it is not a JPEG or PNG im"):
        read_header(tmp_path / "other.jpg")
    with pytest.raises(InputError, match=r"gone.jpg cannot be read \(No such file or directory\)"):
        read_header(tmp_path / "gone.jpg")


def test_resizing_arrays_equals_resizing_files():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 10, 14, 3), np.uint8)
    resized = resize_images(pixels, 9)
    for image, expected in zip(pixels, resized, strict=True):
        decoded = decode_image(encoded(Image.fromarray(image)), channels=3, image_size=9)
        np.testing.assert_array_equal(decoded, expected)


def test_images_of_the_right_size_are_not_touched():
    pixels = np.zeros((2, 9, 9, 1), np.uint8)
    assert resize_images(pixels, 9) is pixels
    assert resize_images(pixels, None) is pixels


@pytest.mark.parametrize(
    ("image_size", "message"),
    [
        (7, "The image size 7 is too small; the smallest is 8 pixels"),
        (-1, "The image size -1 is too small"),
        (32.0, "must be a whole number of pixels, not 32.0"),
        (True, "must be a whole number of pixels, not True"),
        ("32", "must be a whole number of pixels, not '32'"),
    ],
)
def test_impossible_image_sizes_are_refused(image_size, message):
    with pytest.raises(InputError, match=message):
        check_image_size(image_size)
