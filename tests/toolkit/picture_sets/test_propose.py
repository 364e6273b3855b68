"""Captions by a model: proposed, corrected by a person, written into a copy."""

from __future__ import annotations

import json
import re

import pytest
from PIL import Image

from tests.situations.situation import good, write
from toolkit.picture_sets import propose
from toolkit.picture_sets.cli import main


class Fake:
    """Says the size of what it is shown, and how its first pixel looks."""

    name = "fake model"

    def words(self, hit, picture):
        with Image.open(picture) as image:
            assert image.format == "PNG"
            return f"{hit.url}: {image.mode}\n{image.width}x{image.height} <b>"


@pytest.fixture
def photos(tmp_path, monkeypatch):
    files = {name: what for name, what in good(4).items() if not name.endswith(("1.txt", "2.txt"))}
    write(files, tmp_path)
    monkeypatch.chdir(tmp_path)
    import toolkit.scrapers.captions.writers as writers

    monkeypatch.setattr(writers, "make_captioner", lambda source, query, model: Fake())
    return tmp_path / "photos"


def listed(folder):
    text = (folder.parent / "runs/captions/photos/captions.jsonl").read_text()
    return {one["file_name"]: one["text"] for one in map(json.loads, text.splitlines())}


def test_only_what_has_no_caption_is_proposed_and_nothing_is_written_into_the_folder(photos):
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    assert main(["caption", "photos", "--caption", "blip", "--trigger-word", "sks"]) == 0
    assert listed(photos) == {
        "0.png": "a sks mug, view 0",
        "1.png": "sks 1.png: RGB 96x80 <b>",
        "2.png": "sks 2.png: RGB 96x80 <b>",
        "3.png": "a sks mug, view 3",
    }
    assert {path.name: path.read_bytes() for path in photos.iterdir()} == before
    assert main(["caption", "photos", "--caption", "blip", "--all", "--fresh"]) == 0
    assert listed(photos)["0.png"] == "0.png: RGB 96x80 <b>"


def test_the_page_escapes_what_the_model_says_and_runs_its_own_script_only(photos):
    assert main(["caption", "photos", "--caption", "blip"]) == 0
    page = (photos.parent / "runs/captions/photos/captions.html").read_text()
    assert "1.png: RGB 96x80 &lt;b&gt;</textarea>" in page
    assert page.count("<textarea") == 4
    assert f"script-src 'sha256-{propose.script_hash()}'" in page
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert script == propose.SCRIPT
    assert "default-src 'none'" in page


def test_corrected_captions_are_written_into_a_copy(photos, capsys):
    assert main(["caption", "photos", "--caption", "blip"]) == 0
    file = photos.parent / "runs/captions/photos/captions.jsonl"
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    entries[1]["text"] = "a sks mug, quite\r\nbroken"
    entries[2]["text"] = ""
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    assert main(["caption", "photos", "--use", str(file), "--out", "new"]) == 0
    said = capsys.readouterr().out
    assert "3 of 4 pictures in new" in said
    assert "2.png -> left out: it has no caption in the list" in said
    texts = {p.stem: p.read_text().strip() for p in (photos.parent / "new/ImageCaptions").iterdir()}
    assert texts["1"] == "a sks mug, quite broken"
    assert texts["0"] == "a sks mug, view 0"
    assert {path.name: path.read_bytes() for path in photos.iterdir()} == before


def test_corrected_proposals_are_not_overwritten(photos, capsys):
    assert main(["caption", "photos", "--caption", "blip"]) == 0
    file = photos.parent / "runs/captions/photos/captions.jsonl"
    file.write_text(file.read_text().replace("view 0", "corrected"))
    assert main(["caption", "photos", "--caption", "blip"]) == 2
    assert "perhaps corrected" in capsys.readouterr().err
    assert "corrected" in file.read_text()


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        ([], "Say either who captions", 2),
        (["--caption", "blip", "--out", "x"], "--out belongs to --use", 2),
        (["--use", "list.jsonl"], "--use needs --out", 2),
        (["--use", "list.jsonl", "--out", "photos/new"], "lies inside", 2),
        (["--use", "other.jsonl", "--out", "new"], "name no picture of photos: strange.png", 1),
        (["--use", "bad.jsonl", "--out", "new"], "These lines are no entries: 1, 3", 1),
        (["--use", "none.jsonl", "--out", "new"], "cannot be read", 1),
        (["--caption", "blip", "--template", "{x}"], "--template", 2),
    ],
)
def test_wrong_calls_and_lists(photos, capsys, words, says, code):
    folder = photos.parent
    (folder / "list.jsonl").write_text('{"file_name": "0.png", "text": "a"}\n')
    (folder / "other.jsonl").write_text('{"file_name": "strange.png", "text": "a"}\n')
    (folder / "bad.jsonl").write_text('nonsense\n\n{"file_name": "0.png"}\n')
    assert main(["caption", "photos", *words]) == code
    assert says in capsys.readouterr().err
    assert not (folder / "new").exists()
