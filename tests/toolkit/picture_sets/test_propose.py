"""Captions by a model: proposed, corrected by a person, written into a copy."""

from __future__ import annotations

import json
import re

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.situations.situation import good, saved, write
from tests.toolkit.scrapers.test_captions import WD14
from tests.toolkit.scrapers.tiny_blip import make_blip
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


def real(folder, monkeypatch):
    """A folder with two pictures, and captioners as they are."""
    write({"photos/red.png": lambda path: path.write_bytes(red()), "photos/b.png": 2}, folder)
    monkeypatch.chdir(folder)


def red():
    """A picture that is red all over, with a line so that it is not blank."""
    image = Image.new("RGB", (64, 64), (250, 20, 20))
    image.paste((90, 0, 0), (0, 30, 64, 34))
    return saved(image, "PNG")


def test_a_real_blip_proposes_and_its_captions_reach_the_copy(tmp_path, monkeypatch, capsys):
    """Real classes of transformers, loaded from a folder and asked; only the weights are random."""
    real(tmp_path, monkeypatch)
    make_blip(tmp_path / "blip")
    model = ["--caption", "blip", "--caption-model", "blip", "--trigger-word", "sks"]
    assert main(["caption", "photos", *model]) == 0
    assert (
        "2 of 2 pictures have a proposed caption, by blip blip sha256:" in capsys.readouterr().out
    )
    proposed = listed(tmp_path / "photos")
    words = {word for text in proposed.values() for word in text.split()}
    assert "sks" in words
    assert words <= {"sks", "panda", "bamboo", "tree", "sleeping"}
    corrected = ["--use", "runs/captions/photos/captions.jsonl", "--out", "new"]
    assert main(["caption", "photos", *corrected]) == 0
    texts = {p.stem: p.read_text().strip() for p in (tmp_path / "new/ImageCaptions").iterdir()}
    assert texts == {name.partition(".")[0]: text for name, text in proposed.items()}


@pytest.mark.needs("onnxruntime")
def test_a_real_tagger_proposes(tmp_path, monkeypatch):
    """The model is three nodes: its tags are how blue, green and red a picture is."""
    real(tmp_path, monkeypatch)
    model = ["--caption", "wd14", "--caption-model", str(WD14), "--trigger-word", "sks"]
    assert main(["caption", "photos", *model]) == 0
    assert listed(tmp_path / "photos")["red.png"] == "sks red panda"


@pytest.mark.parametrize("damage", ["weights", "config", "tokenizer", "another", "less"])
def test_a_damaged_blip_is_named_and_never_a_traceback(damage, tmp_path, monkeypatch, capsys):
    real(tmp_path, monkeypatch)
    blip = tmp_path / "blip"
    make_blip(blip)
    if damage == "weights":
        (blip / "model.safetensors").write_bytes(b"x" * 40)
    elif damage == "config":
        (blip / "config.json").write_text("{broken", encoding="utf-8")
    elif damage == "tokenizer":
        for name in ("tokenizer.json", "vocab.txt"):
            (blip / name).unlink(missing_ok=True)
    elif damage == "another":
        (blip / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    else:  # as of a BLIP that answers questions: the part that says captions has other names
        tensors = load_file(blip / "model.safetensors")
        tensors = {n: t for n, t in tensors.items() if not n.startswith("text_decoder.cls")}
        save_file(tensors, blip / "model.safetensors", metadata={"format": "pt"})
    assert main(["caption", "photos", "--caption", "blip", "--caption-model", "blip"]) == 2
    assert "no BLIP captioning model" in capsys.readouterr().err
