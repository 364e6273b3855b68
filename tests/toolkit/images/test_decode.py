"""decode.py: each kind of file is shown the way a viewer shows it, or refused by its name."""

from __future__ import annotations

import resource

import numpy as np
import pytest
from PIL import Image

from tests.toolkit.picture_sets.zoo import huge_bmp, huge_png, huge_webp, scene
from toolkit.core.errors import DataSetError
from toolkit.images.decode import load_rgb, read_header


def flat(size=(20, 10), colour=(200, 100, 50)):
    return Image.new("RGB", size, colour)


def close(image, colour):
    return np.abs(np.asarray(image, np.int16)[5, 5] - np.array(colour)).max() <= 3


FORMATS = {
    "a.png": {},
    "a.jpg": {"quality": 95},
    "a.JPEG": {"format": "JPEG", "quality": 95},
    "a.webp": {"lossless": True},
    "a.bmp": {},
    "a.tif": {},
    "a.gif": {},
    "ein Bild ü 🤖.png": {},
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_and_its_header_tells_the_truth(tmp_path, name):
    path = tmp_path / name
    flat().save(path, **FORMATS[name])
    header = read_header(path)
    assert (header.width, header.height, header.orientation, header.frames) == (20, 10, 1, 1)
    image = load_rgb(path)
    assert (image.mode, image.size) == ("RGB", (20, 10))
    assert close(image, (200, 100, 50))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "I;16", "I", "F", "YCbCr"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / "a.tif"
    if mode == "I;16":
        image = Image.fromarray(np.full((10, 20), 204 * 257, np.uint16))
    elif mode == "I":
        image = Image.fromarray(np.full((10, 20), 204 * 257, np.int32))
    elif mode == "F":
        image = Image.fromarray(np.full((10, 20), 204 / 255, np.float32))
    else:
        image = flat(colour=(204, 204, 204)).convert(mode)  # a colour of the common palette
    image.save(path)
    if mode == "1":  # black and white dots of that brightness on average
        assert abs(np.asarray(load_rgb(path)).mean() - 204) < 10
    else:
        assert close(load_rgb(path), (204, 204, 204))


def test_a_picture_with_a_depth_map_is_one_picture(tmp_path):
    flat().save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[flat(colour="red")])
    header = read_header(tmp_path / "a.jpg")
    assert (header.format, header.frames) == ("JPEG", 1)
    assert close(load_rgb(tmp_path / "a.jpg"), (200, 100, 50))


def test_the_content_counts_and_not_the_extension(tmp_path):
    flat().save(tmp_path / "a.png", "JPEG", quality=95)
    assert read_header(tmp_path / "a.png").format == "JPEG"
    assert close(load_rgb(tmp_path / "a.png"), (200, 100, 50))


def test_a_camera_picture_lying_on_its_side_has_its_upright_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    flat().save(tmp_path / "a.jpg", exif=exif)
    header = read_header(tmp_path / "a.jpg")
    assert (header.width, header.height, header.orientation) == (10, 20, 6)
    assert load_rgb(tmp_path / "a.jpg").size == (10, 20)


def test_a_nonsense_orientation_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 77
    flat().save(tmp_path / "a.jpg", exif=exif)
    assert read_header(tmp_path / "a.jpg").orientation == 1
    assert load_rgb(tmp_path / "a.jpg").size == (20, 10)


def test_the_first_frame_of_an_animation_is_taken(tmp_path):
    frames = [flat(colour="red"), flat(colour="lime")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_header(tmp_path / "a.gif").frames == 2
    assert close(load_rgb(tmp_path / "a.gif"), (255, 0, 0))


def test_one_pixel_is_a_picture(tmp_path):
    flat((1, 1)).save(tmp_path / "a.png")
    assert load_rgb(tmp_path / "a.png").size == (1, 1)


@pytest.mark.parametrize(
    ("name", "data", "claim"),
    [
        ("bomb.png", huge_png(20000, 20000), "20000x20000 pixels"),
        ("wide.png", huge_png(10000, 9000), "10000x9000 pixels"),
        ("bomb.webp", huge_webp(16384, 16384), "16384x16384 pixels"),
        ("bomb.bmp", huge_bmp(20000, 20000), "a huge number of pixels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bomb_is_refused_by_its_header_without_memory(tmp_path, name, data, claim):
    (tmp_path / name).write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for look in (read_header, load_rgb):
        with pytest.raises(DataSetError, match=f"{name} cannot be read: it claims ({claim})"):
            look(tmp_path / name)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 50_000


def test_a_large_photo_can_be_looked_at_in_a_smaller_size(tmp_path):
    scene(1, (800, 600)).save(tmp_path / "a.jpg")
    assert load_rgb(tmp_path / "a.jpg").size == (800, 600)
    assert load_rgb(tmp_path / "a.jpg", enough_px=100).size == (200, 150)


def test_a_limit_of_ones_own(tmp_path):
    flat().save(tmp_path / "a.png")
    assert load_rgb(tmp_path / "a.png", max_pixels=200).size == (20, 10)
    with pytest.raises(DataSetError, match="20x10 pixels, and 199 are allowed"):
        load_rgb(tmp_path / "a.png", max_pixels=199)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.tif", "a.gif"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.9])
def test_a_truncated_file_is_refused_by_name(tmp_path, name, share):
    scene(1, (200, 160)).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    for enough_px in (0, 16):
        with pytest.raises(DataSetError, match=rf"a\.{name[2:]} cannot be read as a picture"):
            load_rgb(tmp_path / name, enough_px=enough_px)


def test_what_is_no_picture_or_not_there_is_refused_by_name(tmp_path):
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(DataSetError, match=r"a\.png cannot be read .* none of PNG, JPEG"):
        load_rgb(tmp_path / "a.png")
    with pytest.raises(DataSetError, match=r"b\.png is not there"):
        read_header(tmp_path / "b.png")


def test_a_vector_file_or_script_is_never_handed_to_another_program(tmp_path):
    # Pillow would start Ghostscript for it if it were let.
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    with pytest.raises(DataSetError, match="none of"):
        load_rgb(tmp_path / "a.png")
