"""Any tree of pictures and captions, in any layout, with any junk in it: nothing is lost.

Every picture is used with *its* caption, or named with a reason: by ``check``, by ``import``, and
by what ``train`` hands to a contribution.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.toolkit.picture_sets.zoo import scene
from toolkit.core.settings import DatasetConfig
from toolkit.images.decode import load_rgb
from toolkit.picture_sets.cli import main
from toolkit.picture_sets.folder import REGULARISATION
from toolkit.picture_sets.lay_out import lay_out
from toolkit.picture_sets.layouts import read_folder

FOLDERS = ("", "Images", "images", "10_cup", "3_red mug", "2024-05-01", "DCIM/100CANON", "train")
FOLDERS += ("test", "reg/1_cup", "cat", "deep/er", "photos")
STEMS = ("a", "A b", "ü", "b.c", "IMG_1")
ENDINGS = {".png": "PNG", ".JPG": "JPEG", ".jfif": "JPEG", "": "PNG", ".tga": "TGA", ".bmp": "BMP"}
SIDECARS = (".txt", ".caption", ".png.txt", "ImageCaptions", "captions")
LISTS = ("metadata.jsonl", "metadata.csv", "metadata.json", "meta_cap.json", "captions.jsonl")
JUNK = {
    "Thumbs.db": b"x",
    ".DS_Store": b"x",
    "notes.pdf": b"%PDF",
    "clip.mp4": b"x",
    "raw.CR2": b"x",
    "phone.heic": b"x",
    "orphan.txt": b"of nobody",
    "broken.jpg": b"\xff\xd8\xff",
    "empty.png": b"",
    "bad.txt": "grün".encode("cp1252"),
    "metadata.jsonl": b"{broken",
    "more.zip": b"PK",
    "README.md": b"x",
}


def namesakes_left_aside(pictures) -> bool:
    """Whether a folder that is left aside has two pictures of one stem.

    A list may take one of them out. Then the other one's caption file is its own as well: both
    captions are named and the file's is used, as `test_a_list_and_a_namesake_left_aside` says.
    """
    stems = [
        (below, stem) for below, stem, *_ in pictures if REGULARISATION & set(below.split("/"))
    ]
    return len(set(stems)) < len(stems)


trees = st.fixed_dictionaries(
    {
        "pictures": st.lists(
            st.tuples(
                st.sampled_from(FOLDERS),
                st.sampled_from(STEMS),
                st.sampled_from(sorted(ENDINGS)),
                st.sampled_from((None, "list", *SIDECARS)),
            ),
            min_size=1,
            max_size=6,
            unique_by=lambda one: (one[0].lower(), one[1].lower(), one[2].lower()),
        ),
        "list": st.sampled_from(LISTS),
        "junk": st.lists(
            st.tuples(st.sampled_from(FOLDERS), st.sampled_from(sorted(JUNK))), max_size=3
        ),
        "links": st.booleans(),
    }
).filter(lambda tree: not namesakes_left_aside(tree["pictures"]))
quick = settings(
    max_examples=25,
    derandomize=True,  # the same trees each time: a suite that fails by chance stops everybody
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def build(tree, folder: Path) -> dict[Path, str]:
    """Write a tree; return each picture with the caption that somebody gave it ("" for none)."""
    given_to: dict[Path, str] = {}
    listed = []
    folder.mkdir()
    for seed, (below, stem, ending, source) in enumerate(tree["pictures"]):
        stem = stem if ending else stem.replace(".", "")  # or it had an ending
        path = folder / below / f"{stem}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        scene(seed, (32, 24)).save(path, ENDINGS[ending])
        caption = f"caption number {seed}"
        given_to[path] = caption if source else ""
        if source == "list":
            listed.append((path.relative_to(folder).as_posix(), caption))
        elif source in ("ImageCaptions", "captions"):
            place = path.parent.parent if below.lower() == "images" else path.parent
            (place / source).mkdir(exist_ok=True)
            (place / source / f"{stem}.txt").write_text(caption)
        elif source == ".png.txt":
            path.with_name(f"{path.name}.txt").write_text(caption)
        elif source:
            path.with_name(f"{stem}{source}").write_text(caption)
    if listed:
        (folder / tree["list"]).write_text(as_list(listed, tree["list"]))
    for below, name in tree["junk"]:
        path = folder / below / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(JUNK[name])
    if tree["links"]:
        (folder / "gone.png").symlink_to("/nowhere/gone.png")
    return given_to


def as_list(entries, name: str) -> str:
    rows = [{"file_name": file, "text": caption} for file, caption in entries]
    if name.endswith(".csv"):
        text = io.StringIO()
        writer = csv.DictWriter(text, ["file_name", "text"])
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()
    if name.startswith("meta_cap"):
        return json.dumps({file: {"caption": caption} for file, caption in entries})
    return json.dumps(rows) if name.endswith(".json") else "\n".join(map(json.dumps, rows))


def named(path: Path, problems) -> bool:
    """Whether a problem names a file, a folder that it lies in, or the captions' absence."""
    return any(
        path in (problem.path, *problem.others)
        or problem.path in path.parents
        or problem.kind == "captions-none"
        for problem in problems
    )


@quick
@given(trees)
def test_every_picture_is_used_with_its_caption_or_named(tmp_path_factory, tree):
    root = tmp_path_factory.mktemp("tree")
    given_to = build(tree, root / "set")
    found = read_folder(root / "set")
    used = {picture.path: picture for picture in found.pictures}
    for path, caption in given_to.items():
        if path not in used:
            assert named(path, found.problems), path
            # Of a folder that is left aside, a list may take one picture and not the next.
            if not REGULARISATION & set(path.parts):
                assert not used or path.parent not in {one.parent for one in used}, path
        elif not used[path].caption:
            assert named(path, found.problems), path
        elif found.layout == "folders":
            assert used[path].caption == path.parent.name.split("_", 1)[1]
        else:
            # Two pictures that would share a file are refused, both by name.
            shared = named(path, [p for p in found.problems if p.kind == "same-stem"])
            assert shared or used[path].caption == caption, (path, found.problems)
    # What is left aside is trained on only if a list names it.
    aside = {path for path in used if REGULARISATION & set(path.parts)}
    assert not aside or any(source == "list" for *_, source in tree["pictures"])
    # The check and the import of the same tree end in words too.
    before = {path: path.read_bytes() for path in (root / "set").rglob("*") if path.is_file()}
    assert main(["check", str(root / "set"), "--resolution", "16"]) in (0, 1)
    code = main(["import", str(root / "set"), "--out", str(root / "new")])
    assert code in (0, 1)
    if code == 0:
        texts = [path.read_text().strip() for path in (root / "new/ImageCaptions").iterdir()]
        folders = {path.parent.name.split("_", 1)[-1].strip() for path in given_to}
        assert len(texts) == len(list((root / "new/Images").iterdir()))
        assert all(text in {*given_to.values(), *folders} for text in texts), texts
    assert {p: p.read_bytes() for p in (root / "set").rglob("*") if p.is_file()} == before


@quick
@given(trees)
def test_a_contribution_is_handed_the_same_pictures_with_the_same_captions(tmp_path_factory, tree):
    root = tmp_path_factory.mktemp("tree")
    build(tree, root / "set")
    found = read_folder(root / "set", trigger_word="sks cup")
    whole = [one for one in found.pictures if one.path.stat().st_size > 100]
    out = lay_out(whole, DatasetConfig(trigger_word="sks cup"), root / "handed")
    pictures = {path.stem: path for path in (out / "Images").iterdir()}
    texts = {path.stem: path.read_text() for path in (out / "ImageCaptions").iterdir()}
    assert pictures.keys() == texts.keys()
    assert len(pictures) == len(whole)
    handed = sorted((texts[stem], pixels(pictures[stem])) for stem in texts)
    wanted = sorted((said(one.caption), pixels(one.path)) for one in whole)
    assert handed == wanted


def said(caption: str) -> str:
    return f"sks cup, {caption}" if caption else "sks cup"


def pixels(path: Path) -> bytes:
    """What any program sees that opens a handed picture as it is."""
    if path.suffix in (".png", ".jpg", ".webp"):
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB")).tobytes()
    return np.asarray(load_rgb(path)).tobytes()


def test_a_list_and_a_namesake_left_aside(tmp_path):
    """A list takes one of two namesakes out of a regularisation folder; the other one is named."""
    pictures = [("reg/1_cup", "a", ".png", ".txt"), ("reg/1_cup", "a", ".JPG", "list")]
    tree = {"pictures": pictures, "list": "metadata.jsonl", "junk": [], "links": False}
    other, listed = build(tree, tmp_path / "set")
    found = read_folder(tmp_path / "set")
    assert [one.path for one in found.pictures] == [listed]
    assert found.pictures[0].caption == "caption number 0"
    assert any("that of reg/1_cup/a.txt is used" in one.message for one in found.problems)
    assert named(other, found.problems)
