"""duplicates.py: a copy is found however it was made, and different pictures are left alone."""

from __future__ import annotations

import io
import itertools

import pytest
from PIL import Image, ImageEnhance

from harness import paths
from tests.toolkit.picture_sets.zoo import scene
from toolkit.images.decode import load_rgb
from toolkit.picture_sets.duplicates import equal_groups, fingerprint, near_groups


def as_jpeg(image):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(buffer).convert("RGB")


COPIES = {
    "smaller": lambda image: image.resize((image.width * 2 // 5, image.height * 2 // 5)),
    "jpeg": as_jpeg,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.08),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.85),
    "cut": lambda image: image.crop((4, 4, image.width - 4, image.height - 4)),
}


@pytest.fixture(scope="module")
def scenes():
    return [scene(seed, (400, 300)) for seed in range(30)]


@pytest.fixture(scope="module")
def robots():
    """One subject on one plain colour each: as alike as different pictures get."""
    return [load_rgb(path) for path in sorted(paths.TRACKS.glob("robot/*/Images/*.png"))]


def is_near(one, other):
    return near_groups([one, other]) == [[0, 1]]


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_found(scenes, copy):
    assert all(is_near(fingerprint(one), fingerprint(COPIES[copy](one))) for one in scenes)


def test_different_pictures_are_told_apart(scenes, robots):
    for pictures in (scenes, robots):
        prints = [fingerprint(picture) for picture in pictures]
        assert not any(is_near(a, b) for a, b in itertools.combinations(prints, 2))
        assert near_groups(prints) == []


def test_another_colour_is_another_picture():
    def disc(colour):
        image = Image.new("RGB", (90, 90), "white")
        image.paste(colour, (20, 20, 70, 70))
        return fingerprint(image)

    assert is_near(disc("red"), disc("red"))
    assert not is_near(disc("red"), disc("blue"))


def test_a_mirror_image_is_another_picture(scenes):
    mirrored = [one.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for one in scenes]
    pairs = zip(scenes, mirrored, strict=True)
    assert not any(is_near(fingerprint(one), fingerprint(other)) for one, other in pairs)


def test_groups_hold_each_picture_once(scenes):
    a, b, c = scenes[:3]
    pictures = [a, b, as_jpeg(a), c, COPIES["smaller"](a), as_jpeg(b)]
    assert near_groups([fingerprint(picture) for picture in pictures]) == [[0, 2, 4], [1, 5]]
    assert near_groups([]) == []


def test_equal_keys_are_grouped_in_order():
    assert equal_groups(["x", "y", "x", "z", "y", "x"]) == [[0, 2, 5], [1, 4]]
