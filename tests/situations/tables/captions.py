"""Captions: in the layouts that people have, damaged, twice, missing."""

from __future__ import annotations

import json

from tests.situations.situation import Situation, good

PART = "Captions, wherever they are"
CHECK = "dataset check photos --resolution 64"
READY = "Ready to train"
REFUSED = "Training would refuse this folder"


def row(title, happens, files, says=(), code=0, typed=CHECK, **more) -> Situation:
    return Situation(PART, title, happens, files, typed, code, tuple(says), **more)


def pictures(*names: str, folder: str = "photos") -> dict[str, int]:
    return {f"{folder}/{name}": seed for seed, name in enumerate(names)}


def lines(*entries: dict) -> str:
    return "\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)


FIVE = tuple(f"{n}.png" for n in range(5))
ENTRIES = [{"file_name": name, "text": f"a sks mug, view {name[0]}"} for name in FIVE]
CSV = "file_name,text\n" + "\n".join(f'{e["file_name"]},"{e["text"]}"' for e in ENTRIES)
META_CAP = {name[:-4]: {"caption": f"a sks mug, view {name[0]}"} for name in FIVE}


def renamed(ending: str) -> dict:
    return {name.replace(".txt", ending): what for name, what in good().items()}


CASES = [
    row("pictures with `.txt` beside them", "ready", good(), [READY, "5 pictures"]),
    row(
        "this hub's layout, `Images/` and `ImageCaptions/`",
        "ready",
        {
            **pictures(*FIVE, folder="photos/Images"),
            **{f"photos/ImageCaptions/{n}.txt": f"a sks mug, view {n}" for n in range(5)},
        },
        [READY, "Images/ with ImageCaptions/"],
    ),
    row(
        "`images/` and `captions/` in small letters",
        "ready: the captions are found",
        {
            **pictures(*FIVE, folder="photos/images"),
            **{f"photos/captions/{n}.txt": f"a sks mug, view {n}" for n in range(5)},
        },
        [READY],
    ),
    row(
        "pictures in the folder, captions in `captions/`",
        "ready: the captions are found",
        {
            **pictures(*FIVE),
            **{f"photos/captions/{n}.txt": f"a sks mug, view {n}" for n in range(5)},
        },
        [READY],
    ),
    row(
        "a picture beside `Images/` with the name of one in it",
        "it is not used, and a line says whose caption that is",
        {
            **pictures(*FIVE, folder="photos/Images"),
            **{f"photos/ImageCaptions/{n}.txt": f"a sks mug, view {n}" for n in range(5)},
            "photos/1.jpg": 9,
        },
        [READY, "1.jpg is not used, and ImageCaptions/1.txt could be its caption"],
    ),
    row("`.caption` instead of `.txt`", "ready", renamed(".caption"), [READY]),
    row(
        "`.caption`, and a trigger word is given",
        "the captions are read, not the word alone",
        renamed(".caption"),
        [READY, "view 5"],
        typed=f"{CHECK} --trigger-word 'sks mug'",
    ),
    row("`0.png.txt` beside `0.png`", "ready", renamed(".png.txt"), [READY]),
    row("`.TXT` from an old camera", "ready", renamed(".TXT"), [READY]),
    row(
        "Hugging Face's imagefolder, `metadata.jsonl`",
        "ready",
        {**pictures(*FIVE), "photos/metadata.jsonl": lines(*ENTRIES)},
        [READY, "captions in a list"],
    ),
    row(
        "`metadata.csv`",
        "ready",
        {**pictures(*FIVE), "photos/metadata.csv": CSV},
        [READY, "captions in a list"],
    ),
    row(
        "`metadata.csv` with semicolons, as Excel writes it",
        "ready",
        {
            **pictures(*FIVE),
            "photos/metadata.csv": CSV.replace(",text", ";text").replace(',"', ';"'),
        },
        [READY],
    ),
    row(
        "`metadata.csv` and a trigger word",
        "the list is read, not the word alone",
        {**pictures(*FIVE), "photos/metadata.csv": CSV},
        [READY, "view 5"],
        typed=f"{CHECK} --trigger-word 'sks mug'",
    ),
    row(
        "`metadata.json`, a list",
        "ready",
        {**pictures(*FIVE), "photos/metadata.json": json.dumps(ENTRIES)},
        [READY],
    ),
    row(
        "kohya's `meta_cap.json`, names without endings",
        "ready",
        {**pictures(*FIVE), "photos/meta_cap.json": json.dumps(META_CAP)},
        [READY],
    ),
    row(
        "`metadata.parquet`",
        "refused: the package that reads it is named",
        {**pictures(*FIVE), "photos/metadata.parquet": b"PAR1"},
        ["metadata.parquet:1", "pyarrow", REFUSED],
        code=1,
    ),
    row(
        "imagefolder with `train/metadata.jsonl`",
        "ready: the list of the deeper folder counts",
        {**pictures(*FIVE, folder="photos/train"), "photos/train/metadata.jsonl": lines(*ENTRIES)},
        [READY],
    ),
    row(
        "imagefolder with `train/` and `test/`",
        "the pictures of `test/` are not trained on, and named",
        {
            **pictures(*FIVE, folder="photos/train"),
            "photos/train/metadata.jsonl": lines(*ENTRIES),
            "photos/test/9.png": 9,
        },
        [READY, "1 pictures in test are not used"],
    ),
    row(
        "kohya's folders `10_sks mug/` without captions",
        "ready: the folder is the caption, the 10 is explained",
        {**pictures(*FIVE, folder="photos/10_sks mug")},
        [READY, "10 times", "sks 5"],
    ),
    row(
        "kohya's folders with `.txt`",
        "ready: the texts are the captions",
        good(folder="photos/10_sks mug"),
        [READY, "view 5"],
    ),
    row(
        "kohya's folders and a trigger word",
        "the trigger word is the caption",
        {**pictures(*FIVE, folder="photos/10_mug")},
        [READY, "no captions"],
        typed=f"{CHECK} --trigger-word 'sks cup'",
        hides=("mug 5",),
    ),
    row(
        "kohya's `img/` and `reg/`",
        "regularisation pictures are not trained on, and named",
        {**good(folder="photos/img/10_mug"), "photos/reg/1_mug/r.png": 9},
        [READY, "1 pictures in reg/1_mug are not used"],
    ),
    row(
        "dated folders with `.txt` beside the pictures",
        "ready",
        {
            **good(3, "photos/2024-05-01"),
            **{
                "photos/2024-06-01/a.png": 7,
                "photos/2024-06-01/a.txt": "a sks mug, outside",
            },
        },
        [READY, "4 pictures"],
    ),
    row(
        "folders by label with `.txt`, the same names in each",
        "each picture has its own caption",
        {
            "photos/cup/1.png": 1,
            "photos/cup/1.txt": "a red cup",
            "photos/jug/1.png": 2,
            "photos/jug/1.txt": "a blue jug",
        },
        ["red 1", "blue 1", READY],
    ),
    row(
        "`.txt` beside a `metadata.jsonl` that says something else",
        "the text file counts, and the other is named",
        {
            **good(),
            "photos/metadata.jsonl": lines(
                {"file_name": "0.png", "text": "an old caption"},
                *ENTRIES[1:],
            ),
        },
        ["0.png has another caption in metadata.jsonl:1; that of 0.txt is used", READY],
    ),
    row(
        "`.txt` and `.caption` that differ",
        "the text file counts, and the other is named",
        {**good(), "photos/0.caption": "another"},
        ["0.png has another caption in 0.caption; that of 0.txt is used"],
    ),
    row(
        "a picture without a caption among others",
        "refused: it is named",
        {**good(), "photos/x.png": 9},
        ["x.png has no caption x.txt", REFUSED],
        code=1,
    ),
    row(
        "no captions at all",
        "refused: what to write is said",
        pictures(*FIVE),
        ["has pictures but no captions", "trigger_word"],
        code=1,
    ),
    row(
        "no captions, a trigger word",
        "ready",
        pictures(*FIVE),
        [READY],
        typed=f"{CHECK} --trigger-word 'sks mug'",
    ),
    row(
        "a caption in Windows' cp1252",
        "refused: the file and the byte are named",
        {**good(), "photos/0.txt": "ein grüner Becher".encode("cp1252")},
        ["0.txt is not UTF-8 (byte 6 is 0xfc)", REFUSED],
        code=1,
        hides=("has no caption",),
    ),
    row(
        'a caption in UTF-16, Notepad\'s "Unicode"',
        "refused: the file is named",
        {**good(), "photos/0.txt": "a sks mug".encode("utf-16")},
        ["0.txt is not UTF-8", REFUSED],
        code=1,
    ),
    row(
        "a caption with a byte-order mark and Windows' line ends",
        "ready: one clean line",
        {**good(), "photos/0.txt": b"\xef\xbb\xbfa sks mug,\r\non a table\r\n"},
        [READY, "table 1"],
    ),
    row(
        "an empty caption",
        "a hint names it",
        {**good(), "photos/0.txt": ""},
        ["The caption 0.txt is empty"],
    ),
    row(
        "a caption longer than the model reads",
        "a hint says how much is dropped",
        {**good(), "photos/0.txt": "a very fine mug " * 60},
        ["only 77 are read"],
    ),
    row(
        "the same caption for all",
        "a hint",
        {**good(), **{f"photos/{n}.txt": "a sks mug" for n in range(5)}},
        ['5 pictures have the caption "a sks'],
    ),
    row(
        "a caption of a picture that is gone",
        "a hint names it",
        {**good(), "photos/gone.txt": "a mug"},
        ["gone.txt belongs to no picture"],
    ),
    row(
        "`a.png` and `a.jpg` with one `a.txt`",
        "refused: whose it is cannot be known",
        {"photos/a.png": 1, "photos/a.jpg": 2, "photos/a.txt": "a mug"},
        ["a.jpg, a.png would share one caption"],
        code=1,
    ),
    row(
        "`a.png` and `a.jpg`, each with its `a.png.txt`, `a.jpg.txt`",
        "each has its own",
        {
            "photos/a.png": 1,
            "photos/a.jpg": 2,
            "photos/a.png.txt": "a red mug",
            "photos/a.jpg.txt": "a blue mug",
        },
        [READY, "red 1", "blue 1"],
    ),
    row(
        "a line of `metadata.jsonl` is broken",
        "refused: the line is named",
        {**pictures(*FIVE), "photos/metadata.jsonl": lines(*ENTRIES[:4]) + '\n{"file_name": '},
        ["metadata.jsonl:5 is not JSON", REFUSED],
        code=1,
    ),
    row(
        "`metadata.jsonl` names a picture that is not there",
        "refused: the line is named",
        {
            **pictures(*FIVE),
            "photos/metadata.jsonl": lines(*ENTRIES, {"file_name": "gone.png", "text": "a"}),
        },
        ["metadata.jsonl:6 names 'gone.png', which is not there"],
        code=1,
    ),
    row(
        "`metadata.jsonl` names a picture twice",
        "refused: both lines are named",
        {**pictures(*FIVE), "photos/metadata.jsonl": lines(*ENTRIES, ENTRIES[0])},
        ["metadata.jsonl:6 names 0.png again; the first time is metadata.jsonl:1"],
        code=1,
    ),
    row(
        "`metadata.jsonl` points out of the folder",
        "refused",
        {
            **pictures(*FIVE),
            "photos/metadata.jsonl": lines(*ENTRIES, {"file_name": "../x.png", "text": "a"}),
            "x.png": 9,
        },
        ["outside the folder"],
        code=1,
    ),
    row(
        "a column `caption` that is no text",
        "refused: the line is named",
        {
            **pictures(*FIVE),
            "photos/metadata.jsonl": lines(*ENTRIES[:4], {"file_name": "4.png", "text": ["a"]}),
        },
        ['metadata.jsonl:5 has a "text" that is not text'],
        code=1,
    ),
    row(
        "names with umlauts from a Mac, captions from Windows",
        "ready: they belong together",
        {"photos/Tu\u0308r.PNG": 1, "photos/t\u00fcr.txt": "a door"},
        [READY, "door 1"],
    ),
]
