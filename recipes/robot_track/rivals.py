"""What the robot may be mistaken for: other characters, robots and toys, on plain backgrounds."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from recipes.pictures import SIDE_PX, compose
from recipes.tiny_sd.corpus import render
from recipes.tiny_sd.packages import read_icon_set, read_packages
from recipes.tiny_sd.vocabulary import BACKGROUNDS, STYLES

# Folder and beginning of the file names.
CHARACTERS: Final = {
    "female_adventurer": "femaleAdventurer",
    "female_person": "femalePerson",
    "male_adventurer": "maleAdventurer",
    "male_person": "malePerson",
    "zombie": "zombie",
}
POSES: Final = ("idle", "walk0", "walk4", "jump", "fall", "climb0")
CHARACTER: Final = "arcade/resources/assets/images/animated_characters/{}/{}_{}.png"
ALIEN: Final = "arcade/resources/assets/images/alien/alienBlue_{}.png"
ALIEN_POSES: Final = ("front", "walk1", "jump", "climb1")
ICONS: Final = ("robot", "alien", "alien-monster", "teddy-bear")
RENDER_PX: Final = 256


def rivals(wheel: zipfile.ZipFile, packages: Path) -> Iterator[tuple[str, bytes, str]]:
    """Yield stem, PNG and caption of each: 46 pictures, each background in turn.

    Args:
        wheel: arcade's, with Kenney's other characters.
        packages: Folder of the icon sets' npm tarballs; what is missing is fetched.
    """
    cut_out = [
        *((f"{name}-{pose}", pasted(wheel, CHARACTER.format(name, CHARACTERS[name], pose)))
          for name in CHARACTERS for pose in POSES),
        *((f"alien-{pose}", pasted(wheel, ALIEN.format(pose))) for pose in ALIEN_POSES),
        *icons(packages),
    ]  # fmt: skip
    colours = list(BACKGROUNDS)
    for number, (stem, thing) in enumerate(cut_out):
        colour = colours[number % len(colours)]
        rng = random.Random(stem)  # noqa: S311  # pictures, not secrets
        thing = thing.crop(thing.getchannel("A").getbbox())
        factor = SIDE_PX * rng.uniform(0.68, 0.86) / max(thing.size)
        size = (round(thing.width * factor), round(thing.height * factor))

        def place(side: int, rng: random.Random = rng) -> int:
            return rng.randint(4, max(4, SIDE_PX - side - 4))

        words = stem.replace("-", " ").replace("_", " ")
        yield stem, compose(thing, size, colour, place), f"{words}, on a {colour} background"


def pasted(wheel: zipfile.ZipFile, name: str) -> Image.Image:
    """Read a cut-out picture of the wheel."""
    with Image.open(io.BytesIO(wheel.read(name))) as source:
        return source.convert("RGBA")


def icons(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    """Yield robots and toys of the icon sets that the base has learnt from."""
    packages = read_packages()
    for style, key in STYLES.items():
        icon_set = read_icon_set(packages[key], folder)
        for name in ICONS:
            pixels = np.ascontiguousarray(render(icon_set.svg(name), RENDER_PX))
            yield f"{name}-{style}", Image.fromarray(pixels, "RGBA")
