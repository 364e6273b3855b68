"""Files that are no plain PNG or JPEG, and what is not a picture at all."""

from __future__ import annotations

import os

from tests.situations.situation import Situation, good, link, picture
from tests.toolkit.picture_sets.zoo import huge_png

PART = "Files of every kind"
CHECK = "dataset check photos --resolution 64"
READY = "Ready to train"


def row(title, happens, files, says=(), code=0, typed=CHECK, **more) -> Situation:
    return Situation(PART, title, happens, files, typed, code, tuple(says), **more)


def with_file(name: str, content) -> dict:
    """Four good pictures, and this one with its caption."""
    stem = name.rpartition(".")[0] or name
    return {**good(4), f"photos/{name}": content, f"photos/{stem}.txt": "a sks mug, odd"}


READ = [".jfif", ".jpe", ".apng", ".jp2", ".ppm", ".tga", ".ico", ".bmp", ".gif", ".avif", ".tif"]
NOT_READ = [".heic", ".dng", ".CR3", ".nef", ".svg", ".psd"]

CASES = [
    *(
        row(f"a `{ending}` file", "it is used", with_file(f"x{ending}", 9), [READY, "5 pictures"])
        for ending in READ
    ),
    row(
        "a photo without an ending",
        "it is used: its content says what it is",
        with_file("IMG_0001", 9),
        [READY, "5 pictures"],
    ),
    row(
        "a JPEG that is called `.png`",
        "it is used as what it is",
        with_file("x.png", picture(9, ".jpg")),
        [READY, "5 pictures"],
    ),
    row(
        "a picture that is called `.download`",
        "a hint: give it its ending",
        {**good(), "photos/x.download": picture(9)},
        ["x.download is not used", "give it that ending"],
    ),
    *(
        row(
            f"a `{ending}` file",
            "a hint names it: it cannot be read here",
            {**good(), f"photos/x{ending}": b"raw"},
            [f"x{ending} is not used", READY],
        )
        for ending in NOT_READ
    ),
    row(
        "a film and a document among the pictures",
        "a hint names both",
        {**good(), "photos/clip.mp4": b"x", "photos/notes.docx": b"x"},
        ["Neither pictures nor captions, not used: clip.mp4, notes.docx"],
    ),
    row(
        "a zip among the pictures",
        "a hint names it",
        {**good(), "photos/more.zip": {"a.png": 1}},
        ["not used: more.zip"],
    ),
    row(
        "`Thumbs.db`, `desktop.ini`, `.DS_Store`, `._0.png`",
        "passed over: no person put them there",
        {
            **good(),
            "photos/Thumbs.db": b"x",
            "photos/desktop.ini": b"x",
            "photos/.DS_Store": b"x",
            "photos/._0.png": b"x",
        },
        [READY],
        hides=("Thumbs", "desktop.ini", "not used"),
    ),
    row(
        "a hidden picture",
        "a hint names it",
        {**good(), "photos/.secret.png": 9},
        [".secret.png is not used: it is hidden"],
    ),
    row(
        "a README, a licence, `sources.jsonl`",
        "nothing to say: papers belong to a set",
        {**good(), "photos/README.md": "x", "photos/LICENSE": "x", "photos/sources.jsonl": "{}"},
        [READY],
        hides=("README", "LICENSE", "sources"),
    ),
    row(
        "pictures in a folder below those that are used",
        "a hint counts them",
        {**good(), "photos/more/x.png": 9},
        ["1 pictures in more are not used"],
    ),
    row(
        "a folder of links to pictures elsewhere",
        "they are used",
        {
            **{f"archive/{n}.png": n for n in range(5)},
            **{f"photos/{n}.png": link(f"../archive/{n}.png") for n in range(5)},
        },
        [READY, "5 pictures"],
        typed=f"{CHECK} --trigger-word 'sks mug'",
    ),
    row(
        "a link to a picture that is gone",
        "refused: link and target are named",
        {**good(), "photos/x.png": link("../gone.png")},
        ["x.png is a link to ../gone.png, which is not there"],
        code=1,
    ),
    row(
        "a link to a caption that is gone",
        "refused: it is named",
        {**good(4), "photos/4.png": 9, "photos/4.txt": link("../gone.txt")},
        ["4.txt is a link to ../gone.txt, which is not there"],
        code=1,
    ),
    row(
        "a link to a folder",
        "a hint: links to folders are not followed",
        {**good(), "more/x.png": 9, "photos/more": link("../more")},
        ["more is a link to a folder, which is not followed"],
    ),
    row(
        "a pipe that is called `x.png`",
        "refused: nothing waits for it",
        {**good(), "photos/x.png": os.mkfifo},
        ["x.png is no file that can be read"],
        code=1,
    ),
    row(
        "a truncated download",
        "refused: it is named",
        with_file("x.jpg", picture(9, ".jpg")[:900]),
        ["x.jpg cannot be read as a picture"],
        code=1,
    ),
    row(
        "an empty file",
        "refused: it is named",
        with_file("x.png", b""),
        ["x.png cannot be read as a picture"],
        code=1,
    ),
    row(
        "a web page saved as `.jpg`",
        "refused: it is named",
        with_file("x.jpg", b"<html>404</html>"),
        ["x.jpg cannot be read as a picture"],
        code=1,
    ),
    row(
        "a picture that claims 400 megapixels",
        "refused before it is decoded",
        with_file("x.png", huge_png(20000, 20000)),
        ["20000x20000 pixels"],
        code=1,
    ),
    row(
        "the same picture twice",
        "a hint names both",
        {**good(), "photos/x.png": picture(0), "photos/x.txt": "again"},
        ["0.png, x.png are the same file"],
    ),
    row("a folder that is not there", "refused", {}, ["There is no folder photos"], code=1),
    row(
        "an empty folder",
        "refused: which endings count is said",
        {"photos/.keep": ""},
        ["photos holds no pictures (.png, .apng"],
        code=1,
    ),
    row(
        "`Images/` that is empty, pictures elsewhere",
        "those are used",
        {**good(folder="photos/cups"), "photos/Images/Thumbs.db": b"x"},
        [READY, "5 pictures"],
    ),
    row(
        "a preview over a file of one's own",
        "refused: it is no page of preview",
        {**good(), "mine.html": "mine"},
        ["no page of preview"],
        code=2,
        typed="dataset preview photos --out mine.html",
    ),
    row(
        "the embedded base's pictures of 80 pixels",
        "judged at the base's 64 pixels, not at 512",
        good(),
        [READY, "squares at 64 px"],
        typed="dataset check photos",
    ),
    row(
        "a zip where a folder belongs",
        "refused: the command that unpacks it is said",
        {"photos.zip": {"a.png": 1}},
        ["photos.zip is a file", "dataset -- import photos.zip"],
        code=1,
        typed="dataset check photos.zip",
    ),
    row(
        "a picture where a folder belongs",
        "refused: name the folder",
        {"photos/a.png": 1},
        ["is a file, not a folder", "Name the folder it lies in: photos"],
        code=1,
        typed="dataset check photos/a.png",
    ),
    row(
        "`metadata.csv` where a folder belongs",
        "refused: name the folder",
        {"photos/a.png": 1, "photos/metadata.csv": "file_name,text\na.png,a"},
        ["Name the folder it lies in: photos"],
        code=1,
        typed="dataset check photos/metadata.csv",
    ),
    row(
        "the folder of an earlier training among the pictures",
        "its samples are not trained on",
        {
            **{name.replace("photos", "photos/cups"): what for name, what in good().items()},
            "photos/out/plan.json": "{}",
            "photos/out/log.jsonl": "",
            "photos/out/samples/base-0.png": 9,
        },
        [READY, "5 pictures", "1 pictures in out/samples are not used"],
    ),
]
