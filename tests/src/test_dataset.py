"""dataset.py: a zoo of files, each shown the way a viewer shows it or refused by name."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor, ImageDraw

from src.dataset import CustomDataset, ResizeAndCrop, make_dataset
from tests.src.support import open_dataset
from toolkit.core.errors import DataSetError
from toolkit.images.decode import load_rgb

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def corners(image: Image.Image) -> list[tuple[int, int, int]]:
    w, h = image.size
    return [image.getpixel(xy) for xy in ((0, 0), (w - 1, 0), (0, h - 1), (w - 1, h - 1))]


def upright() -> Image.Image:
    """Red, green, blue and white quarters in a picture that is wider than high."""
    image = Image.new("RGB", (24, 16))
    for i, colour in enumerate((RED, GREEN, BLUE, WHITE)):
        image.paste(colour, (12 * (i % 2), 8 * (i // 2), 12 * (i % 2) + 12, 8 * (i // 2) + 8))
    return image


# How a camera stores the picture under each EXIF orientation: the inverse of what the tag asks for.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_applied(tmp_path, orientation):
    operation = STORED[orientation]
    stored = upright() if operation is None else upright().transpose(operation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    image = load_rgb(tmp_path / "a.png")
    assert image.size == (24, 16)
    assert corners(image) == [RED, GREEN, BLUE, WHITE]


def test_transparency_becomes_white(tmp_path):
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.putpixel((7, 0), (0, 0, 0, 128))
    image.save(tmp_path / "a.png")
    assert corners(load_rgb(tmp_path / "a.png")) == [WHITE, (127, 127, 127), RED, RED]


def test_a_transparent_palette_colour_becomes_white(tmp_path):
    image = Image.new("P", (8, 8), 1)
    image.putpalette([*BLUE, *GREEN])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "a.png", transparency=0)
    assert corners(load_rgb(tmp_path / "a.png")) == [WHITE, GREEN, GREEN, GREEN]


def test_grey_with_alpha(tmp_path):
    Image.new("LA", (8, 8), (40, 0)).save(tmp_path / "a.png")
    assert corners(load_rgb(tmp_path / "a.png")) == [WHITE] * 4


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path):
    values = np.array([[0, 65535], [32896, 257]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    image = load_rgb(tmp_path / "a.png")
    assert [pixel[0] for pixel in corners(image)] == [0, 255, 128, 1]
    assert image.mode == "RGB"


def test_cmyk_and_grey_become_rgb(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    red = np.array(load_rgb(tmp_path / "a.jpg"))[8, 8]
    assert red[0] > 230
    assert red[1] < 30
    Image.new("1", (4, 4), 1).save(tmp_path / "b.png")
    assert corners(load_rgb(tmp_path / "b.png")) == [WHITE] * 4


def test_items_are_rgb_between_minus_one_and_one(tmp_path):
    Image.new("RGB", (32, 32), (255, 128, 0)).save(tmp_path / "a.png")
    pixel_values, caption = CustomDataset(tmp_path, transform=ResizeAndCrop(16))[0]
    assert pixel_values.dtype == torch.float32
    assert pixel_values.shape == (3, 16, 16)
    torch.testing.assert_close(pixel_values[:, 0, 0], torch.tensor([1.0, 128 / 127.5 - 1, -1.0]))
    assert caption == ""


def test_the_default_size_is_that_of_sd14(tmp_path):
    Image.new("RGB", (32, 20)).save(tmp_path / "a.png")
    assert CustomDataset(tmp_path)[0][0].shape == (3, 512, 512)


@pytest.mark.parametrize("size", [(90, 40), (40, 90), (40, 40), (400, 128)])
def test_a_circle_stays_a_circle(tmp_path, size):
    image = Image.new("RGB", size, "white")
    x, y = size[0] // 2, size[1] // 2
    radius = min(size) // 3
    ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill="black")
    image.save(tmp_path / "a.png")
    dark = CustomDataset(tmp_path, transform=ResizeAndCrop(64))[0][0][0] < 0
    width, height = int(dark.any(0).sum()), int(dark.any(1).sum())
    assert abs(width - height) <= 1
    assert abs(width - 64 * 2 / 3) <= 2.5


def test_shrinking_averages_instead_of_skipping(tmp_path):
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "a.png")
    pixel_values = CustomDataset(tmp_path, transform=ResizeAndCrop(8))[0][0]
    assert pixel_values[:, :, 2:-2].abs().max() < 0.1


def test_pictures_are_found_whatever_the_case_and_junk_is_passed_over(tmp_path):
    for name in ("b.PNG", "a.JpG", "c.webp", "ü d.jpeg"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    for name in (".DS_Store", "._b.png", "Thumbs.db", "notes.txt"):
        (tmp_path / name).write_bytes(b"junk")
    (tmp_path / "folder.png").mkdir()
    expected = ["a.JpG", "b.PNG", "c.webp", "ü d.jpeg"]
    assert [picture.path.name for picture in CustomDataset(tmp_path).pictures] == expected


def test_captions_belong_to_their_pictures(tmp_path):
    images, captions = tmp_path / "Images", tmp_path / "ImageCaptions"
    images.mkdir()
    captions.mkdir()
    texts = {"a": b"plain", "b": b"\xef\xbb\xbfwith a BOM\r\n", "c": "ünicode 🤖".encode()}
    texts |= {"d": b" two\r\nlines \n", "e": b""}
    for i, (stem, text) in enumerate(texts.items()):
        Image.new("RGB", (8, 8), (50 * i, 0, 0)).save(images / f"{stem}.png")
        (captions / f"{stem}.txt").write_bytes(text)
    dataset = open_dataset(make_dataset, tmp_path)
    found = [(round(float((x[0, 0, 0] + 1) * 127.5 / 50)), text) for x, text in dataset]
    expected = ["plain", "with a BOM", "ünicode 🤖", "two lines", ""]
    assert found == list(enumerate(expected))


def test_all_missing_captions_are_named_at_once(tmp_path):
    (tmp_path / "ImageCaptions").mkdir()
    (tmp_path / "Images").mkdir()
    for name in ("a", "b", "c"):
        Image.new("RGB", (8, 8)).save(tmp_path / "Images" / f"{name}.png")
    (tmp_path / "ImageCaptions" / "b.txt").write_text("b")
    with pytest.raises(DataSetError, match=r"2 things(.|\n)*a\.txt(.|\n)*c\.txt"):
        open_dataset(make_dataset, tmp_path)


def test_a_caption_that_is_not_utf8_is_named(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_bytes("grün".encode("latin-1"))
    with pytest.raises(DataSetError, match=r"a\.txt is not UTF-8"):
        CustomDataset(tmp_path, tmp_path)


def test_a_missing_or_empty_folder_is_named(tmp_path):
    with pytest.raises(DataSetError, match=r"no folder .*nowhere"):
        CustomDataset(tmp_path / "nowhere")
    with pytest.raises(DataSetError, match="holds no pictures"):
        CustomDataset(tmp_path)


@pytest.mark.parametrize("name", ["text.png", "truncated.png", "damaged.png", "bomb.png"])
def test_what_is_no_picture_is_refused_by_name(tmp_path, name):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)).save(
        tmp_path / "good.png"
    )
    good = (tmp_path / "good.png").read_bytes()
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = good[:8] + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    contents = {
        "text.png": b"hello",
        "truncated.png": good[: len(good) // 2],
        "damaged.png": good[:40] + b"\x00\xff" * 20 + good[80:],
        "bomb.png": bomb + good[33:],
    }
    (tmp_path / name).write_bytes(contents[name])
    with pytest.raises(DataSetError, match=f"{name} cannot be read"):
        load_rgb(tmp_path / name)


@pytest.mark.parametrize("resolution", [0, 4, 60, -64])
def test_a_resolution_that_the_vae_cannot_halve_is_refused(resolution):
    with pytest.raises(ValueError, match="multiple of 8"):
        ResizeAndCrop(resolution)


def four_colours(folder):
    """A folder of four pictures: each has one colour, its name, in its left half."""
    folder.mkdir()
    for colour in ("red", "lime", "blue", "orange"):
        image = Image.new("RGB", (48, 32), "white")
        image.paste(colour, (0, 0, 24, 32))
        image.save(folder / f"{colour}.png")
        (folder / f"{colour}.txt").write_text(f"sks sheet, {colour}, half, painted, flat")
    return folder


def colour_of(pixel_values, column):
    return tuple(((pixel_values[:, 16, column] + 1) * 127.5).round().int().tolist())


def test_colours_keep_their_captions_through_repeats_and_mirror_images(tmp_path):
    four_colours(tmp_path / "set")
    dataset = open_dataset(make_dataset, tmp_path / "set", repeats=3, flip=True)
    assert len(dataset) == 4 * 3 * 2
    seen = []
    for pixel_values, caption in dataset:
        left, right = colour_of(pixel_values, 2), colour_of(pixel_values, -3)
        mirrored = left == WHITE
        name = caption.split(", ")[1]
        assert (right if mirrored else left) == ImageColor.getrgb(name)
        assert (left if mirrored else right) == WHITE
        seen.append((name, mirrored))
    assert Counter(seen) == {
        (name, mirrored): 3
        for name in ("red", "lime", "blue", "orange")
        for mirrored in (False, True)
    }


def test_an_item_is_the_same_whoever_asks_and_whatever_is_beside_it(tmp_path):
    folder = four_colours(tmp_path / "set")
    settings = {"repeats": 4, "flip": True, "shuffle_captions": True, "keep_tokens": 1, "seed": 3}
    dataset = open_dataset(make_dataset, folder, **settings)
    again = open_dataset(make_dataset, folder, **settings)
    for idx in range(len(dataset)):
        assert dataset[idx][1] == again[idx][1]
        assert torch.equal(dataset[idx][0], again[idx][0])
    # The captions of red's eight items, before and after another picture came in front of it.
    captions = [dataset[i][1] for i in range(len(dataset)) if "red.png" in dataset.name_of(i)]
    assert len(captions) == 8
    assert len(set(captions)) > 3
    assert all(caption.startswith("sks sheet, ") for caption in captions)
    Image.new("RGB", (48, 32)).save(folder / "a.png")
    (folder / "a.txt").write_text("new")
    more = open_dataset(make_dataset, folder, **settings)
    assert captions == [more[i][1] for i in range(len(more)) if "red.png" in more.name_of(i)]
    other = open_dataset(make_dataset, folder, **(settings | {"seed": 4}))
    assert captions != [other[i][1] for i in range(len(other)) if "red.png" in other.name_of(i)]


def test_a_trigger_word_is_in_every_caption(tmp_path):
    folder = four_colours(tmp_path / "set")
    dataset = open_dataset(make_dataset, folder, trigger_word="ohwx")
    assert all(caption.startswith("ohwx, sks sheet") for _, caption in dataset)
    for path in folder.glob("*.txt"):
        path.unlink()
    with pytest.raises(DataSetError, match="no captions"):
        open_dataset(make_dataset, folder)
    assert [caption for _, caption in open_dataset(make_dataset, folder, trigger_word="ohwx")] == [
        "ohwx"
    ] * 4


def test_in_buckets_a_circle_stays_a_circle_and_little_is_cut(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for name, size in {"tall": (200, 400), "wide": (500, 200), "square": (300, 300)}.items():
        image = Image.new("RGB", size, "white")
        x, y, r = size[0] // 2, size[1] // 2, 60
        ImageDraw.Draw(image).ellipse((x - r, y - r, x + r, y + r), fill="black")
        image.save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(name)
    dataset = open_dataset(make_dataset, folder, buckets=True)
    for pixel_values, caption in dataset:
        _, height, width = pixel_values.shape
        assert (height > width, height < width) == (caption == "tall", caption == "wide")
        assert height % 8 == width % 8 == 0
        assert height * width <= 64 * 64
        dark = pixel_values[0] < 0
        assert abs(int(dark.any(0).sum()) - int(dark.any(1).sum())) <= 1
    assert {tuple(x.shape) for x, _ in open_dataset(make_dataset, folder)} == {(3, 64, 64)}


def test_an_item_that_is_not_there_is_an_index_error(tmp_path):
    dataset = open_dataset(make_dataset, four_colours(tmp_path / "set"))
    assert dataset[-1][1] == dataset[3][1]
    for idx in (4, -5):
        with pytest.raises(IndexError, match=f"item {idx} of 4"):
            dataset[idx]


def test_pixels_are_what_the_key_of_the_cache_says():
    """When this fails, the same picture has become other pixels: raise ResizeAndCrop.version."""
    ramp = np.arange(40 * 30 * 3, dtype=np.uint32).reshape(30, 40, 3) * 7919 % 256
    pixel_values = ResizeAndCrop(16)(Image.fromarray(ramp.astype(np.uint8)))
    levels = ((pixel_values + 1) * 127.5).round().to(torch.uint8)
    digest = hashlib.sha256(levels.numpy().tobytes()).hexdigest()
    assert (ResizeAndCrop.version, digest[:16]) == (1, "edbd00a39901a2cc")


def test_the_key_of_an_item_changes_with_what_its_pixels_depend_on(tmp_path):
    folder = four_colours(tmp_path / "set")
    plain = open_dataset(make_dataset, folder)
    keys = {plain.content_key(i) for i in range(4)}
    mirrored = open_dataset(make_dataset, folder, flip=True)
    keys |= {mirrored.content_key(i) for i in range(8)}
    keys.add(open_dataset(make_dataset, folder, buckets=True).content_key(0))
    assert len(keys) == 4 + 4 + 1
    # Repeats and captions change no pixels.
    shuffled = open_dataset(make_dataset, folder, repeats=2, shuffle_captions=True)
    assert {shuffled.content_key(i) for i in range(8)} == {plain.content_key(i) for i in range(4)}
    # Nobody knows what somebody else's transform does.
    assert CustomDataset(folder, folder, transform=lambda image: image).content_key(0) is None
