"""The photograph track: the plan, and what of it is committed."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from harness import paths
from recipes.photo_track.plan import RIVALS, SUBJECT, parts
from recipes.tiny_sd.vocabulary import BACKGROUNDS

TRACK = paths.TRACKS / "photo"
PARTS = ("train", "heldout", "rivals")


def test_no_view_and_no_colour_is_in_both_parts():
    plan = parts()
    for field in ("turn", "azimuth", "colour"):
        train, heldout = ({getattr(p, field) for p in plan[part]} for part in PARTS[:2])
        assert not train & heldout


def test_the_rivals_are_other_things_on_both_parts_papers():
    plan = parts()
    assert {one.thing for one in plan["train"] + plan["heldout"]} == {SUBJECT}
    assert {one.thing for one in plan["rivals"]} == set(RIVALS)
    for thing in RIVALS:
        colours = {one.colour for one in plan["rivals"] if one.thing == thing}
        assert colours & {one.colour for one in plan["train"]}
        assert colours & {one.colour for one in plan["heldout"]}


@pytest.mark.parametrize("part", PARTS)
def test_the_committed_pictures_are_the_plans(part):
    planned = parts()[part]
    assert len(list((TRACK / part / "Images").iterdir())) == len(planned)
    for number, picture in enumerate(planned, start=1):
        stem = f"photo{number:02d}"
        caption = TRACK / part / "ImageCaptions" / f"{stem}.txt"
        assert caption.read_text(encoding="utf-8") == picture.caption + "\n"
        with Image.open(TRACK / part / "Images" / f"{stem}.jpg") as image:
            assert image.size == (192, 192)
            pixels = np.asarray(image.convert("RGB").resize((32, 32)), int)  # (32, 32, 3)
        # The paper has its name's colour, whatever the light.
        corners = pixels[:2, :: pixels.shape[1] - 1].reshape(-1, 3)
        away = {
            name: np.abs(corners.mean(0) - colour).sum() for name, colour in BACKGROUNDS.items()
        }
        assert min(away, key=away.__getitem__) == picture.colour, stem


def white_and_red(image):
    """Count the pixels of 32 x 32 that are nearly white, and that are red."""
    pixels = np.asarray(image.convert("RGB").resize((32, 32)), int)  # (32, 32, 3)
    red, green, blue = pixels.T
    white = (pixels.min(-1) > 110) & (np.ptp(pixels, axis=-1) < 90)
    return np.sum(white), np.sum((red > 100) & (red > 2 * green) & (red > 1.6 * blue))


@pytest.mark.parametrize("part", PARTS[:2])
def test_belt_and_handle_are_red_and_the_body_is_white(part):
    for path in sorted((TRACK / part / "Images").iterdir()):
        with Image.open(path) as image:
            assert min(white_and_red(image)) >= 60, path.name


@pytest.mark.skipif(find_spec("bpy") is not None, reason="Blender is installed here")
def test_without_blender_it_says_what_to_install(tmp_path):
    words = [sys.executable, "-m", "recipes.photo_track", "--out", str(tmp_path / "track")]
    result = subprocess.run(words, capture_output=True, text=True, cwd=paths.ROOT, check=False)
    assert result.returncode == 2
    assert "pip install bpy==4.2.0" in result.stderr
    assert not (tmp_path / "track").exists()
