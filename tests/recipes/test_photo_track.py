"""The photograph track: the plan, and what of it is committed."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from harness import paths
from recipes.photo_track.plan import GROUNDS, NEIGHBOURS, parts

TRACK = paths.TRACKS / "photo"


def test_each_ground_is_seen_with_each_neighbour_and_no_pair_is_in_both_parts():
    train, heldout = parts().values()
    pairs = [{(one.ground, one.neighbour) for one in part} for part in (train, heldout)]
    assert len(pairs[0] | pairs[1]) == len(train) + len(heldout) == len(GROUNDS) * len(NEIGHBOURS)
    assert {ground for ground, _ in pairs[0]} == {ground for ground, _ in pairs[1]} == set(GROUNDS)


@pytest.mark.parametrize("part", ["train", "heldout"])
def test_the_committed_pictures_are_the_plans(part):
    for number, picture in enumerate(parts()[part], start=1):
        stem = f"photo{number:02d}"
        caption = TRACK / part / "ImageCaptions" / f"{stem}.txt"
        assert caption.read_text(encoding="utf-8") == picture.caption + "\n"
        with Image.open(TRACK / part / "Images" / f"{stem}.jpg") as image:
            assert image.size == (256, 256)
            red, green, blue = np.asarray(image.convert("RGB").resize((32, 32)), int).T
        # The belt and handle are orange, the body is teal, wherever the mug stands.
        assert np.sum((red > 140) & (red > 1.5 * blue) & (green < 0.8 * red)) >= 8
        assert np.sum((blue > red + 25) & (green > red + 15)) >= 8


@pytest.mark.skipif(find_spec("bpy") is not None, reason="Blender is installed here")
def test_without_blender_it_says_what_to_install(tmp_path):
    words = [sys.executable, "-m", "recipes.photo_track", "--out", str(tmp_path / "track")]
    result = subprocess.run(words, capture_output=True, text=True, cwd=paths.ROOT, check=False)
    assert result.returncode == 2
    assert "pip install bpy==4.2.0" in result.stderr
    assert not (tmp_path / "track").exists()
