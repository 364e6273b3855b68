"""Make the sets that rows of ``tracks/portrait`` are confirmed on; see docs/protocol.md.

    python -m recipes.shown_tracks.board_sets --wheel arcade.whl --seed SECRET --out FOLDER

``exchanged`` shows another of Kenney's figures under the robot's captions; ``heldout2`` shows the
robot's held-out poses on the training colours. Those of the public seed lie in the track's folder.
Made from a seed that only the board's job has, they show a figure, an order of colours, places and
sizes that no contributor knows: HUB_BOARD_SETS names their folder.
"""

# ruff: noqa: S311 - repeatable draws are the point; the seed is the secret.

from __future__ import annotations

import argparse
import random
import zipfile
from dataclasses import dataclass
from pathlib import Path

from recipes.pictures import write_folder
from recipes.robot_track.__main__ import require_wheel
from recipes.shown_tracks.portrait import (
    FIGURES,
    HELDOUT_COLOURS,
    HELDOUT_POSES,
    ROBOT,
    TRAIN_COLOURS,
    TRAIN_POSES,
    Picture,
    pictures_of,
    robots,
)


@dataclass(frozen=True)
class Sets:
    """What is shown.

    Args:
        figure: Folder of the figure that stands where the robot stood.
        colours: That it trains on.
        heldout: Of the second held-out set.
        salt: Of places and sizes.
    """

    figure: str
    colours: tuple[str, ...]
    heldout: tuple[str, ...]
    salt: str

    def parts(self) -> dict[str, list[Picture]]:
        """Return the pictures of each folder."""
        return {
            "exchanged/train": pictures_of(TRAIN_POSES, self.colours),
            "exchanged/heldout": pictures_of(HELDOUT_POSES, HELDOUT_COLOURS),
            "heldout2": pictures_of(HELDOUT_POSES, self.heldout),
        }

    def write(self, folder: Path, wheel: zipfile.ZipFile) -> None:
        """Write all folders, below one."""
        other = (self.figure, FIGURES[self.figure])
        for part, pictures in self.parts().items():
            shown = other if part.startswith("exchanged") else ROBOT
            write_folder(folder / part, robots(pictures, wheel, shown, self.salt))


# Half the colours: the track's folder has to stay small.
PUBLIC = Sets("male_adventurer", TRAIN_COLOURS[::2], TRAIN_COLOURS, "second")


def of_seed(seed: str) -> Sets:
    """Return the sets of a seed, which cannot be made without it."""
    rng = random.Random(seed)
    figure = rng.choice(sorted(FIGURES))
    colours, heldout = (
        tuple(rng.sample(TRAIN_COLOURS, len(TRAIN_COLOURS))),
        tuple(rng.sample(TRAIN_COLOURS, len(TRAIN_COLOURS))),
    )
    return Sets(figure, colours, heldout, seed)


def main() -> int:
    """Check the wheel's hash and write the sets of a seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wheel", type=Path, required=True, help="the arcade-3.3.3 wheel")
    parser.add_argument("--seed", required=True, help="any text, which only the board's job has")
    parser.add_argument("--out", type=Path, required=True, help="HUB_BOARD_SETS names it")
    options = parser.parse_args()
    require_wheel(parser, options.wheel)
    with zipfile.ZipFile(options.wheel) as wheel:
        of_seed(options.seed).write(options.out / "portrait", wheel)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
