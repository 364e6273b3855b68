"""Contests on one's own pictures, and captions that a model proposes."""

from __future__ import annotations

import json

from tests.situations.situation import Situation, good
from tests.situations.tables.bases import folder

CONTEST, CAPTIONS = "Your own contest", "Captions by a model"


def row(title, happens, options, says, code=2, files=None, part=CONTEST) -> Situation:
    return Situation(part, title, happens, files or good(), options, code, says)


def twins(number: int) -> dict:
    """The same two pictures over and over."""
    return {
        name: content % 2 if isinstance(content, int) else content
        for name, content in good(number).items()
    }


LINES = "".join(json.dumps({"file_name": f"{n}.png", "text": "a mug"}) + "\n" for n in range(5))

CASES = [
    row(
        "a track with the name of one of the hub's",
        "refused",
        "track new robot --data photos",
        ("'robot' is taken by the hub",),
    ),
    row(
        "a track with a space in its name",
        "refused: what names may be is said",
        "track new 'my photos' --data photos",
        ("small letters, digits and -",),
    ),
    row(
        "a track with a size and a number of steps that cannot be",
        "refused: both are named",
        "track new mugs --data photos --resolution 100 --steps 0",
        ("--resolution: Input should be a multiple of 8", "--steps: Input should be greater"),
    ),
    row(
        "a contest with a misspelt name",
        "refused: near names are said",
        "contribution DoRA Rnak16",
        ("There is no contribution named 'Rnak16'", "Rank16"),
    ),
    row(
        "a track of pictures without captions",
        "refused, as by `train`",
        "track new mugs --data photos",
        ("has pictures but no captions",),
        1,
        {f"photos/{n}.png": n for n in range(8)},
    ),
    row(
        "a track of two pictures, saved five times each",
        "refused: too few that differ",
        "track new mugs --data photos",
        ("10 pictures, and 2 that differ",),
        1,
        twins(10),
    ),
    row(
        "a track on SDXL",
        "refused: SDXL",
        "track new mugs --data photos --base base",
        ("The base is SDXL",),
        1,
        {**good(8), **folder("StableDiffusionXLPipeline")},
    ),
    row(
        "a track on a base that is not there",
        "refused: what a base may be is said",
        "track new mugs --data photos --base models/nothing/there",
        ("There is no base model in models/nothing/there",),
        1,
        good(8),
    ),
    row(
        "a track on a pickle",
        "refused: reading it would run code",
        "track new mugs --data photos --base base.ckpt",
        ("The file is a pickle",),
        1,
        {**good(8), "base.ckpt": "x"},
    ),
    row(
        "a contest on a track that is not there",
        "refused: the command that makes one is said",
        "contribution DoRA Rank16 --track photos",
        ("There is no track named 'photos'", "nox -s track -- new NAME --data DIR"),
    ),
    row(
        "a contest on all tracks at once",
        "refused",
        "contribution DoRA Rank16 --track all",
        ("A contest is on one track",),
    ),
    row(
        "a contest whose rows are to be recorded",
        "refused: the command that records them is said",
        "contribution DoRA Rank16 --record",
        ("A contest records nothing.", "--all --only DoRA,Rank16 --record"),
    ),
    row(
        "own tracks, where there are none",
        "a line says how to make one",
        "track list",
        ("There are none. nox -s track -- new",),
        0,
    ),
    row(
        "captions by a model whose folder is not named",
        "refused: nothing is downloaded silently",
        "dataset caption photos --caption blip",
        ("needs the model's folder",),
        part=CAPTIONS,
    ),
    row(
        "captions by a folder that is no model",
        "refused: the missing files are named",
        "dataset caption photos --caption blip --caption-model photos",
        ("config.json",),
        part=CAPTIONS,
    ),
    row(
        "corrected captions without a folder to write",
        "refused: nothing is changed in the folder itself",
        "dataset caption photos --use captions.jsonl",
        ("--use needs --out",),
        files={**good(), "captions.jsonl": LINES},
        part=CAPTIONS,
    ),
    row(
        "corrected captions",
        "a copy with them; the originals stay",
        "dataset caption photos --use captions.jsonl --out new",
        ("5 of 5 pictures in new, photos is as it was",),
        0,
        {**good(), "captions.jsonl": LINES},
        CAPTIONS,
    ),
    row(
        "corrected captions of another folder",
        "refused: the names are said",
        "dataset caption photos --use captions.jsonl --out new",
        ("2 lines name no picture of photos: 3.png, 4.png",),
        1,
        {**good(3), "captions.jsonl": LINES},
        CAPTIONS,
    ),
]
