"""Make the pictures of ``tracks/streamline`` and ``tracks/binding`` from pinned icon packages.

    python -m recipes.icon_tracks --packages icons

``--packages`` is a folder with the npm tarballs; what is missing is fetched with ``npm pack``. The
same packages give the same bytes on every machine with the same Pillow and resvg.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from harness import paths
from recipes.pictures import SIDE_PX, compose, fitted, write_folder
from recipes.tiny_sd.corpus import render
from recipes.tiny_sd.packages import IconSet, read_icon_set, read_packages
from recipes.tiny_sd.variations import recolour
from recipes.tiny_sd.vocabulary import BACKGROUNDS, STYLES, spoken, with_article

RENDER_PX: Final = 256

# The drawings that are taught and those that are held out: the base knows all of these things, and
# none of them in this style.
STYLE_TRAIN: Final = (
    "cat-face", "dog-face", "elephant", "octopus", "monkey-face", "snail", "turtle", "palm-tree",
    "tulip", "cherries", "grapes", "airplane", "bus", "castle", "bell", "guitar",
)  # fmt: skip
STYLE_HELDOUT: Final = (
    "koala", "rabbit-face", "rose", "pear", "automobile", "rocket", "crown", "ghost",
)  # fmt: skip

# Silhouettes in one colour on another. Each thing is shown in three pairs of colours; held out are
# other pairs, so that a model has to take the two words of a caption apart.
BOUND_THINGS: Final = ("anchor", "crown", "guitar", "key", "rocket", "snail", "shield", "cactus")
BOUND_COLOURS: Final = ("red", "yellow", "green", "blue", "purple", "white")
PAIRS_PER_THING: Final = 3
HELDOUT_PAIRS: Final = 2


@dataclass(frozen=True)
class Picture:
    """One picture to make."""

    stem: str
    set: str
    name: str
    background: str
    caption: str
    ink: str | None = None


def style_pictures(names: Iterable[str], first_colour: int) -> list[Picture]:
    """List drawings of a style, on the background colours in turn."""
    colours = list(BACKGROUNDS)
    made = []
    for number, name in enumerate(names):
        colour = colours[(first_colour + number) % len(colours)]
        caption = f"{with_article(spoken(name))}, sks style, on {with_article(colour)} background"
        made.append(Picture(f"example{number + 1}", "streamline-emojis", name, colour, caption))
    return made


def contrast_pictures(heldout: list[Picture]) -> list[Picture]:
    """List the held-out things in the styles that the base knows, on the same backgrounds."""
    return [
        Picture(
            f"{picture.stem}-{style}",
            key,
            picture.name,
            picture.background,
            picture.caption.replace("sks", style),
        )
        for picture in heldout
        for style, key in STYLES.items()
    ]


def bound_pictures() -> tuple[list[Picture], list[Picture]]:
    """List coloured things on coloured backgrounds: those to train on, and those held out."""
    rng = random.Random("binding")  # noqa: S311  # pictures, not secrets
    pairs = [(ink, ground) for ink in BOUND_COLOURS for ground in BOUND_COLOURS if ink != ground]
    train: list[Picture] = []
    heldout: list[Picture] = []
    for thing in BOUND_THINGS:
        chosen = rng.sample(pairs, PAIRS_PER_THING + HELDOUT_PAIRS)
        for number, (ink, ground) in enumerate(chosen):
            target = train if number < PAIRS_PER_THING else heldout
            words = f"{with_article(ink)} {spoken(thing)} on {with_article(ground)} background"
            stem = f"example{len(target) + 1}"
            target.append(Picture(stem, "game-icons", thing, ground, words, ink))
    return train, heldout


def draw(picture: Picture, icons: IconSet) -> bytes:
    """Compose one picture and return it as PNG bytes; size and place vary a little."""
    rng = random.Random(f"{picture.name}{picture.background}{picture.ink}")  # noqa: S311
    pixels = render(icons.svg(picture.name), RENDER_PX)  # (S, S, 4)
    if picture.ink is not None:
        pixels = recolour(pixels, BACKGROUNDS[picture.ink])
    icon = Image.fromarray(np.ascontiguousarray(pixels), "RGBA")
    icon = icon.crop(icon.getbbox())
    size = fitted(icon, SIDE_PX * rng.uniform(0.72, 0.84))

    def place(side: int) -> int:
        return round(rng.uniform(0.3, 0.7) * (SIDE_PX - side))

    return compose(icon, size, picture.background, place)


def main() -> int:
    """Read the packages and write both tracks' folders."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--packages", type=Path, default=paths.RUNS / "packages")
    parser.add_argument("--out", type=Path, default=paths.TRACKS)
    options = parser.parse_args()
    packages = read_packages() | read_packages(Path(__file__).with_name("packages.toml"))
    sets = {key: read_icon_set(package, options.packages) for key, package in packages.items()}
    heldout = style_pictures(STYLE_HELDOUT, first_colour=4)
    train, unseen = bound_pictures()
    folders = {
        "streamline/train": style_pictures(STYLE_TRAIN, first_colour=0),
        "streamline/heldout": heldout,
        "streamline/contrast": contrast_pictures(heldout),
        "binding/train": train,
        "binding/heldout": unseen,
    }
    for folder, pictures in folders.items():
        drawn = ((one.stem, draw(one, sets[one.set]), one.caption) for one in pictures)
        write_folder(options.out / folder, drawn)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
