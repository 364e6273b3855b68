"""Which pictures are taught and which held out: by what they show."""

from __future__ import annotations

import pytest
from PIL import Image, ImageEnhance, ImageOps

from harness.runs.own.split import groups_of_alike, split
from tests.toolkit.picture_sets.zoo import scene
from toolkit.core.errors import DataSetError
from toolkit.picture_sets.examine import examine
from toolkit.picture_sets.folder import Picture


def facts_of(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for name, image in images.items():
        image.save(folder / name)
        pictures.append(Picture(folder / name, "a mug", name))
    return examine(pictures)[0]


def names(side):
    return {each.picture.path.name for each in side}


def twelve():
    return {f"{n}.png": scene(n, (160, 120)) for n in range(12)}


def test_a_third_is_held_out_and_nothing_is_lost(tmp_path):
    facts = facts_of(tmp_path, twelve())
    parts = split(facts)
    assert len(parts.heldout) == 4
    assert names(parts.taught) | names(parts.heldout) == names(facts)
    assert not names(parts.taught) & names(parts.heldout)
    assert parts.alike == ()


def test_the_sides_follow_the_pictures_whatever_they_are_called(tmp_path):
    facts = facts_of(tmp_path / "one", twelve())
    renamed = {f"z{11 - n}.png": scene(n, (160, 120)) for n in range(12)}
    other = facts_of(tmp_path / "two", renamed)
    contents = [{each.content for each in split(some).heldout} for some in (facts, other)]
    assert contents[0] == contents[1]
    seeds = {frozenset(names(split(facts, seed).heldout)) for seed in range(5)}
    assert len(seeds) > 1


TWINS = {
    "saved again": lambda image: image.resize((80, 60)),
    "mirrored": ImageOps.mirror,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.08),
    "mirrored and smaller": lambda image: ImageOps.mirror(image).resize((96, 72)),
}


@pytest.mark.parametrize("twin", TWINS)
def test_what_looks_alike_is_on_one_side_with_every_seed(tmp_path, twin):
    images = twelve() | {f"twin{n}.png": TWINS[twin](scene(n, (160, 120))) for n in (0, 1, 2)}
    facts = facts_of(tmp_path, images)
    for seed in range(6):
        parts = split(facts, seed)
        for n in (0, 1, 2):
            pair = {f"{n}.png", f"twin{n}.png"}
            assert pair <= names(parts.taught) or pair <= names(parts.heldout)
        assert len(parts.alike) == 3


def test_alike_by_way_of_a_third_one_is_alike(tmp_path):
    """Frames of a film: the first and the last differ, and all are one shot."""
    one, other = scene(1, (160, 120)), scene(2, (160, 120))
    images = {f"{n}.png": Image.blend(one, other, n / 12) for n in range(13)}
    facts = facts_of(tmp_path, images | {"else.png": scene(5, (160, 120))})
    groups = sorted(len(group) for group in groups_of_alike(facts))
    assert groups == [1, 13]


def test_too_few_that_differ_are_refused_with_their_number(tmp_path):
    images = {f"{n}.png": scene(n % 4, (160, 120)) for n in range(12)}
    with pytest.raises(DataSetError, match="12 pictures, and 4 that differ"):
        split(facts_of(tmp_path, images))
