"""Portraits of Kenney's robot, and of the figures it may be mistaken for."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from recipes.pictures import SIDE_PX, compose, fitted
from recipes.tiny_sd.corpus import render
from recipes.tiny_sd.packages import IconSet
from recipes.tiny_sd.vocabulary import BACKGROUNDS, STYLES, with_article

FIGURE: Final = "arcade/resources/assets/images/animated_characters/{}/{}_{}.png"

ROBOT: Final = ("robot", "robot")

# Pose file -> the word a caption uses for it. Not those that show the robot's back, or its head
# in another shape: one portrait is to be learnt within a short budget.
TRAIN_POSES: Final = {
    "idle": "standing",
    "walk0": "walking",
    "walk1": "walking",
    "walk3": "walking",
    "walk4": "walking",
    "walk5": "walking",
    "walk7": "walking",
}
HELDOUT_POSES: Final = {"walk2": "walking", "walk6": "walking"}
# Each pose is shown on each of these colours, each held-out one thrice on each of the others.
# Portraits of two poses on one colour would be nearly the same picture.
TRAIN_COLOURS: Final = ("white", "red", "orange", "yellow", "blue", "purple")
HELDOUT_COLOURS: Final = ("black", "green", "pink")

# All figures of the wheel have one scale: 96 x 128 pixels, a standing robot 66 wide, the middle of
# its helmet at 49. Its head and chest fill a picture; the whole robot would be too small to be
# seen in 64 pixels. The base draws things in the middle, so that is where it stands.
MIDDLE_PX: Final = 49
STANDING_WIDTH_PX: Final = 66
PORTRAIT_PX: Final = 56
WIDTHS: Final = (0.8, 0.92)  # of the picture's side
SHIFT: Final = 0.04  # of the picture's side, to the left or right

# Kenney's other figures: folder -> beginning of the file names.
FIGURES: Final = {
    "female_adventurer": "femaleAdventurer",
    "female_person": "femalePerson",
    "male_adventurer": "maleAdventurer",
    "male_person": "malePerson",
    "zombie": "zombie",
}
FIGURE_POSES: Final = ("idle", "walk0", "walk2", "walk4", "jump", "fall")
ALIEN: Final = "arcade/resources/assets/images/alien/alienBlue_{}.png"
ALIEN_POSES: Final = ("front", "walk1", "jump", "climb1")
ICONS: Final = ("robot", "alien", "alien-monster", "teddy-bear")
RENDER_PX: Final = 256


@dataclass(frozen=True)
class Picture:
    """One picture to make: a pose, its word, a background, and whether it looks the other way."""

    pose: str
    word: str
    colour: str
    mirrored: bool

    @property
    def caption(self) -> str:
        """The caption in the form the base model knows, with ``sks`` for the unknown subject."""
        return f"a sks robot {self.word}, on {with_article(self.colour)} background"


def parts() -> dict[str, list[Picture]]:
    """Return 42 training pictures, and 18 held-out ones: other poses on other colours."""
    return {
        "train": pictures_of(TRAIN_POSES, TRAIN_COLOURS),
        "heldout": pictures_of(HELDOUT_POSES, HELDOUT_COLOURS * 3),
    }


def pictures_of(poses: Mapping[str, str], colours: Sequence[str]) -> list[Picture]:
    """List each pose on each colour; every second picture is mirrored."""
    return [
        Picture(pose, word, colour, mirrored=(row + column) % 2 == 1)
        for row, (pose, word) in enumerate(poses.items())
        for column, colour in enumerate(colours)
    ]


def robots(
    pictures: Iterable[Picture],
    wheel: zipfile.ZipFile,
    figure: tuple[str, str] = ROBOT,
    salt: str = "",
) -> Iterator[tuple[str, bytes, str]]:
    """Yield stem, PNG and caption of each picture.

    Args:
        pictures: What to draw.
        wheel: arcade's.
        figure: Folder and beginning of the file names; another figure has the robot's captions.
        salt: Moves every figure to another place and size.
    """
    for number, one in enumerate(pictures, start=1):
        shown = pasted(wheel, FIGURE.format(*figure, one.pose))
        seed = f"{salt}{number}{one.pose}{one.colour}"
        yield (
            f"robot{number:02d}",
            portrait(shown, one.colour, seed, mirrored=one.mirrored),
            one.caption,
        )


def rivals(
    wheel: zipfile.ZipFile, icon_sets: Mapping[str, IconSet]
) -> Iterator[tuple[str, bytes, str]]:
    """Yield stem, PNG and caption of other figures and toys, on each background in turn.

    Args:
        wheel: arcade's, with Kenney's other figures.
        icon_sets: Those that the base has learnt from, by key.
    """
    figures = {
        f"{name}-{pose}": pasted(wheel, FIGURE.format(name, beginning, pose))
        for name, beginning in FIGURES.items()
        for pose in FIGURE_POSES
    }
    others = {f"alien-{pose}": pasted(wheel, ALIEN.format(pose)) for pose in ALIEN_POSES}
    for style, key in STYLES.items():
        others |= {f"{name}-{style}": drawing(icon_sets[key], name) for name in ICONS}
    colours = list(BACKGROUNDS)
    for number, (stem, thing) in enumerate((figures | others).items()):
        framed = portrait if stem in figures else whole
        colour = colours[number % len(colours)]
        words = with_article(stem.replace("-", " ").replace("_", " "))
        yield stem, framed(thing, colour, stem), f"{words}, on {with_article(colour)} background"


def portrait(figure: Image.Image, colour: str, seed: str, *, mirrored: bool = False) -> bytes:
    """Return head and chest of a figure, which stands on the lower border, as PNG bytes.

    Args:
        figure: One of the wheel's, uncropped.
        colour: Name of the background.
        seed: From which size and place are drawn.
        mirrored: Whether it looks the other way.
    """
    rng = random.Random(seed)
    _, top, _, _ = figure.getchannel("A").getbbox() or (0, 0, *figure.size)
    middle = MIDDLE_PX
    head = figure.crop((0, top, figure.width, top + PORTRAIT_PX))
    if mirrored:
        head, middle = ImageOps.mirror(head), figure.width - middle
    factor = SIDE_PX * rng.uniform(*WIDTHS) / STANDING_WIDTH_PX
    size = (round(head.width * factor), round(head.height * factor))
    left = round(SIDE_PX * (0.5 + rng.uniform(-SHIFT, SHIFT)) - middle * factor)
    corner = iter((left, SIDE_PX - size[1]))
    return compose(head, size, colour, lambda _: next(corner))


def whole(thing: Image.Image, colour: str, seed: str) -> bytes:
    """Return a whole thing near the middle of a colour, as PNG bytes."""
    rng = random.Random(seed)
    thing = thing.crop(thing.getchannel("A").getbbox())
    size = fitted(thing, SIDE_PX * rng.uniform(*WIDTHS))

    def place(side: int) -> int:
        return round(rng.uniform(0.3, 0.7) * (SIDE_PX - side))

    return compose(thing, size, colour, place)


def pasted(wheel: zipfile.ZipFile, name: str) -> Image.Image:
    """Read a cut-out picture of the wheel."""
    with Image.open(io.BytesIO(wheel.read(name))) as source:
        return source.convert("RGBA")


def drawing(icons: IconSet, name: str) -> Image.Image:
    """Return an icon as a picture."""
    return Image.fromarray(np.ascontiguousarray(render(icons.svg(name), RENDER_PX)), "RGBA")
