"""Make the pictures of ``tracks/robot``, ``src/Dataset`` and ``CONTRIBUTIONS/Example1/Dataset``.

The subject is Kenney's robot (CC0), thirteen poses shipped in the PyPI wheel ``arcade``::

    pip download --no-deps --dest wheels arcade==3.3.3
    python -m recipes.robot_track wheels/arcade-3.3.3-py3-none-any.whl

Nine poses are for training and four are held out. Every picture is one pose on one named
background colour; the same wheel gives the same bytes on every machine with the same Pillow.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import random
import zipfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from harness import paths
from recipes.pictures import SIDE_PX, compose, write_folder
from recipes.tiny_sd.vocabulary import with_article

WHEEL_SHA256 = "25f4e0e5b8bcbe7a7d087c0a23b19e9f423b0c70ec00945c8712c9a3e541ebd2"
POSES = "arcade/resources/assets/images/animated_characters/robot/robot_{}.png"

# pose file -> the word a caption uses for it
TRAIN_POSES = {
    "climb0": "climbing",
    "idle": "standing",
    "jump": "jumping",
    "walk0": "walking",
    "walk1": "walking",
    "walk3": "walking",
    "walk4": "walking",
    "walk5": "walking",
    "walk7": "walking",
}
HELDOUT_POSES = {"climb1": "climbing", "fall": "falling", "walk2": "walking", "walk6": "walking"}

# Each training colour appears once; held-out poses get two colours each.
TRAIN_COLOURS = ("white", "yellow", "red", "green", "black", "orange", "pink", "purple", "blue")
HELDOUT_COLOURS = ("white", "orange", "green", "yellow", "pink", "white", "black", "red")


@dataclass(frozen=True)
class Picture:
    """One picture to make: a pose, its word, and a background."""

    pose: str
    word: str
    colour: str

    @property
    def caption(self) -> str:
        """The caption in the form the base model knows, with ``sks`` for the unknown subject."""
        return f"a sks robot {self.word}, on {with_article(self.colour)} background"


def train_pictures() -> list[Picture]:
    """List the nine training pictures."""
    poses = TRAIN_POSES.items()
    return [Picture(p, w, c) for (p, w), c in zip(poses, TRAIN_COLOURS, strict=True)]


def heldout_pictures() -> list[Picture]:
    """List the eight held-out pictures: four unseen poses, two colours each."""
    poses = [item for item in HELDOUT_POSES.items() for _ in range(2)]
    return [Picture(p, w, c) for (p, w), c in zip(poses, HELDOUT_COLOURS, strict=True)]


def draw(picture: Picture, wheel: zipfile.ZipFile) -> bytes:
    """Compose one picture and return it as PNG bytes.

    Size and place vary a little, so that a model learns the subject and not one set of pixels.
    """
    rng = random.Random(picture.pose + picture.colour)  # noqa: S311  # pictures, not secrets
    with Image.open(io.BytesIO(wheel.read(POSES.format(picture.pose)))) as source:
        robot = source.convert("RGBA")
    robot = robot.crop(robot.getchannel("A").getbbox())
    height = round(SIDE_PX * rng.uniform(0.68, 0.86))
    width = round(robot.width * height / robot.height)

    def place(side: int) -> int:
        return rng.randint(4, max(4, SIDE_PX - side - 4))

    return compose(robot, (width, height), picture.colour, place)


def require_wheel(parser: argparse.ArgumentParser, wheel: Path) -> None:
    """End the command, with a sentence, unless this is the wheel that the pictures come from."""
    if not wheel.is_file():
        parser.error(f"{wheel} is not there: pip download --no-deps arcade==3.3.3")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        parser.error(f"{wheel} has sha256 {found}, expected {WHEEL_SHA256}")


def main() -> int:
    """Check the wheel's hash and write all folders."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path, help="the downloaded arcade-3.3.3 wheel")
    wheel_path: Path = parser.parse_args().wheel
    require_wheel(parser, wheel_path)
    with zipfile.ZipFile(wheel_path) as wheel:
        robot = paths.TRACKS / "robot"
        for folder, pictures in (
            (robot / "train", train_pictures()),
            (robot / "heldout", heldout_pictures()),
            (paths.REFERENCE / "Dataset", train_pictures()),
            (paths.CONTRIBUTIONS / "Example1" / "Dataset", train_pictures()),
        ):
            drawn = enumerate(pictures, start=1)  # with the names the seed document uses
            write_folder(folder, ((f"example{n}", draw(p, wheel), p.caption) for n, p in drawn))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
