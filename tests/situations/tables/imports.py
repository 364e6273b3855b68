"""``import`` and ``fix``: what becomes of somebody's folder, zip or list."""

from __future__ import annotations

import json

from tests.situations.situation import Situation, captions, good, picture

PART = "A clean copy: import and fix"


def row(title, happens, files, says=(), code=0, typed="dataset import photos --out new", **more):
    return Situation(PART, title, happens, files, typed, code, tuple(says), **more)


TYPED = "dataset import photos --out new --caption 'a sks mug'"
HUGGING = {
    "photos/train/a.png": 1,
    "photos/train/b.png": 2,
    "photos/train/metadata.jsonl": json.dumps({"file_name": "a.png", "text": "a red mug"})
    + "\n"
    + json.dumps({"file_name": "b.png", "text": "a blue mug"}),
}
BOTH = {"a": "a red mug", "b": "a blue mug"}


def zipped(files: dict) -> dict:
    return {"photos.zip": {k: v.encode() if isinstance(v, str) else v for k, v in files.items()}}


ZIP = "dataset import photos.zip --out new"

CASES = [
    row(
        "imagefolder with `train/metadata.jsonl`",
        "each picture keeps its caption",
        HUGGING,
        then=captions("new", **BOTH),
    ),
    row(
        "the same, and `--caption` typed",
        "the pictures' own captions stay",
        HUGGING,
        typed=TYPED,
        then=captions("new", **BOTH),
    ),
    row(
        "the same in a zip",
        "each picture keeps its caption",
        zipped(HUGGING),
        typed=ZIP,
        then=captions("new", **BOTH),
    ),
    row(
        "imagefolder with `metadata.csv`",
        "each picture keeps its caption",
        {
            "photos/a.png": 1,
            "photos/b.png": 2,
            "photos/metadata.csv": "file_name,text\na.png,a red mug\nb.png,a blue mug",
        },
        then=captions("new", **BOTH),
    ),
    row(
        "`metadata.csv` named as what to import",
        "its folder is imported",
        {"photos/a.png": 1, "photos/metadata.csv": "file_name,text\na.png,a red mug"},
        typed="dataset import photos/metadata.csv --out new",
        then=captions("new", a="a red mug"),
    ),
    row(
        "kohya's `10_sks mug/` with `.txt`",
        "each picture keeps its caption",
        {
            "photos/10_sks mug/a.png": 1,
            "photos/10_sks mug/a.txt": "a red mug",
            "photos/10_sks mug/b.png": 2,
            "photos/10_sks mug/b.caption": "a blue mug",
        },
        then=captions("new", **BOTH),
    ),
    row(
        "kohya's `10_sks mug/` without captions",
        "the folder is the caption, without the number",
        {"photos/10_sks mug/a.png": 1},
        then=captions("new", a="sks mug"),
    ),
    row(
        "kohya's `10_sks mug/`, `--caption` typed",
        "what is typed is the caption",
        {"photos/10_cup/a.png": 1},
        typed=TYPED,
        then=captions("new", a="a sks mug"),
    ),
    row(
        "`images/` and `captions/`",
        "each picture keeps its caption",
        {
            "photos/images/a.png": 1,
            "photos/captions/a.txt": "a red mug",
            "photos/images/b.png": 2,
            "photos/captions/b.txt": "a blue mug",
        },
        then=captions("new", **BOTH),
    ),
    row(
        "folders by label with `.txt`",
        "each picture keeps its caption",
        {
            "photos/red/a.png": 1,
            "photos/red/a.txt": "a red mug",
            "photos/blue/b.png": 2,
            "photos/blue/b.txt": "a blue mug",
        },
        then=captions("new", **BOTH),
    ),
    row(
        "folders by label without captions",
        "the label is the caption, and that is said",
        {"photos/red_panda/a.png": 1, "photos/brown-bear/b.png": 2},
        ["caption from its folder: red panda"],
        then=captions("new", a="red panda", b="brown bear"),
    ),
    row(
        "folders by label, `--caption` typed",
        "what is typed is the caption",
        {"photos/red_panda/a.png": 1},
        typed=TYPED,
        then=captions("new", a="a sks mug"),
    ),
    row(
        "dated folders without captions",
        "refused: a date is no caption",
        {"photos/2024-05-01/a.png": 1},
        ["None of the 1 pictures has a caption", "--caption"],
        code=1,
    ),
    row(
        "a camera's folder `DCIM/100CANON`, `--caption` typed",
        "what is typed is the caption",
        {"photos/DCIM/100CANON/a.jpg": 1},
        typed=TYPED,
        then=captions("new", a="a sks mug"),
    ),
    row(
        "dated folders with `.txt`, in a zip",
        "each picture keeps its caption",
        zipped(
            {
                "p/2024-05-01/a.png": 1,
                "p/2024-05-01/a.txt": "a red mug",
                "p/2024-06-01/b.png": 2,
                "p/2024-06-01/b.txt": "a blue mug",
            }
        ),
        typed=ZIP,
        then=captions("new", **BOTH),
    ),
    row(
        "a caption in cp1252, `--caption` typed",
        "left out with the reason; nothing is made up",
        {
            "photos/a.png": 1,
            "photos/a.txt": "grün".encode("cp1252"),
            "photos/b.png": 2,
            "photos/b.txt": "a blue mug",
        },
        ["a.png -> left out: a.txt is not UTF-8"],
        typed=TYPED,
        then=captions("new", b="a blue mug"),
    ),
    row(
        "a broken line of `metadata.jsonl`, `--caption` typed",
        "refused: mend the line first",
        {"photos/a.png": 1, "photos/metadata.jsonl": '{"file_name": "a.png", "te'},
        ["metadata.jsonl:1 is not JSON"],
        typed=TYPED,
        code=1,
    ),
    row(
        "a picture without a caption among others",
        "left out, and named",
        {**good(2), "photos/x.png": 9},
        ["x.png -> left out: it has no caption"],
    ),
    row(
        "a HEIC and a raw file in a zip",
        "both are named",
        zipped({"a.png": 1, "a.txt": "a red mug", "b.heic": b"x", "c.CR2": b"x"}),
        ["b.heic is not used", "c.CR2 is not used"],
        typed=ZIP,
        then=captions("new", a="a red mug"),
    ),
    row(
        "a film in a zip",
        "it is named",
        zipped({"a.png": 1, "a.txt": "a red mug", "b.mp4": b"x"}),
        ["not used: b.mp4"],
        typed=ZIP,
    ),
    row(
        "a zip in which names lead out of the folder",
        "refused",
        {"photos.zip": {"../a.png": 1}},
        ["outside the folder"],
        typed=ZIP,
        code=1,
    ),
    row("a file that is no zip", "refused", {"photos.zip": b"x"}, ["not a zip"], typed=ZIP, code=1),
    row(
        "`--out` inside the pictures",
        "refused: nothing is fixed in place",
        good(),
        ["lies inside photos"],
        typed="dataset fix photos --out photos/clean",
        code=2,
    ),
    row(
        "`--out` with files in it",
        "refused",
        {**good(), "new/mine.txt": "mine"},
        ["new is not empty"],
        code=1,
    ),
    row(
        "`a.png` and `a.jpg` with one `a.txt`",
        "both are left out with the reason: whose it is cannot be known",
        {**good(1), "photos/a.png": 1, "photos/a.jpg": 2, "photos/a.txt": "a mug"},
        ["a.png -> left out: a.jpg, a.png would share one caption"],
        then=captions("new", **{"0": "a sks mug, view 0"}),
    ),
    row(
        "two nearly equal pictures",
        "the larger stays, and that is said",
        {
            "photos/a.png": 1,
            "photos/a.txt": "a",
            "photos/b.jpg": picture(1, ".jpg", quality=90),
            "photos/b.txt": "b",
        },
        ["left out: nearly the same as"],
    ),
    row(
        "a table of addresses without the column `url`",
        "refused: the column is named",
        {"list.csv": "link,caption\nx,y\n"},
        ["list.csv:1: no column url"],
        typed="dataset import list.csv --out new",
        code=1,
    ),
]
