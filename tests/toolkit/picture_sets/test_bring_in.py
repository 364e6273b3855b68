"""``fix`` and ``import``: a clean folder out of somebody's, which stays as it was."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.toolkit.scrapers.conftest import Collected
from tests.toolkit.scrapers.server import Archive, picture_bytes
from toolkit.core.clip_tokens import count as count_tokens
from toolkit.picture_sets.cli import main
from toolkit.picture_sets.fair_copy import safe_stem, tidy_caption, unique


@pytest.fixture
def messy(tmp_path):
    """A folder as people have them."""
    folder = tmp_path / "messy"
    (folder / "Images").mkdir(parents=True)
    (folder / "ImageCaptions").mkdir()

    def add(name: str, data: bytes, caption: str | None = "a panda") -> None:
        (folder / "Images" / name).write_bytes(data)
        if caption is not None:
            stem = name.rsplit(".", 1)[0]
            (folder / "ImageCaptions" / f"{stem}.txt").write_text(caption, encoding="utf-8")

    with Image.open(io.BytesIO(picture_bytes(1))) as image:
        exif = Image.Exif()
        exif[0x0112] = 6
        add("Über uns (1).JPEG", saved(image, "JPEG", exif=exif), "  a\n turned   panda \n")
        add("small.png", saved(image.rotate(-90, expand=True).resize((40, 48)), "PNG"))
        add("grey.bmp", saved(Image.open(io.BytesIO(picture_bytes(7))).convert("L"), "BMP"))
    add("fine.jpg", picture_bytes(2), "a fine panda")
    add("twin.jpg", picture_bytes(2))
    add("clear.png", saved(Image.open(io.BytesIO(picture_bytes(3))).convert("RGBA"), "PNG"))
    add("broken.jpg", picture_bytes(4)[:300])
    add("wordless.jpg", picture_bytes(5), None)
    add("novel.jpg", picture_bytes(6), "panda " * 300)
    (folder / "ATTRIBUTION.md").write_text("By Ada.\n")
    return folder


def saved(image: Image.Image, kind: str, **how) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_fix_writes_a_clean_copy_and_leaves_the_original_alone(messy, tmp_path, capsys):
    before = digests(messy)
    assert main(["fix", str(messy), "--out", str(tmp_path / "clean")]) == 0
    assert digests(messy) == before
    clean = Collected(tmp_path / "clean")
    assert clean.names == ["Uber-uns-1.jpg", "clear.png", "fine.jpg", "grey.png", "novel.jpg"]
    assert clean.captions["Uber-uns-1"] == "a turned panda\n"
    assert count_tokens(clean.captions["novel"]) == 77
    for name in clean.names:
        with Image.open(clean.path / "Images" / name) as image:
            assert image.mode in ("RGB", "L")
            assert not image.getexif()
    with Image.open(clean.path / "Images" / "Uber-uns-1.jpg") as image:
        assert image.size == (80, 96)
    assert (clean.path / "Images" / "fine.jpg").read_bytes() == picture_bytes(2)
    assert (clean.path / "ATTRIBUTION.md").read_text() == "By Ada.\n"

    text = capsys.readouterr().out
    assert "5 of 9 pictures" in text
    assert "twin.jpg -> left out: the same file as fine.jpg" in text
    assert "small.png -> left out: nearly the same as Über uns (1).JPEG" in text
    assert "broken.jpg -> left out: broken.jpg cannot be read as a picture" in text
    assert "wordless.jpg -> left out: it has no caption" in text
    assert "Uber-uns-1.jpg: from RGB JPEG to plain RGB JPEG; was Über uns (1).JPEG" in text

    # What comes out is what training takes without a word.
    assert main(["check", str(tmp_path / "clean"), "--resolution", "64"]) == 0
    again = tmp_path / "again"
    assert main(["fix", str(tmp_path / "clean"), "--out", str(again)]) == 0
    assert digests(again) == digests(tmp_path / "clean")


def test_a_caption_for_those_that_have_none(messy, tmp_path):
    arguments = ["fix", str(messy), "--out", str(tmp_path / "clean"), "--caption", "a sks panda"]
    assert main(arguments) == 0
    assert Collected(tmp_path / "clean").captions["wordless"] == "a sks panda\n"


@pytest.mark.parametrize(
    ("out", "words"),
    [(".", "lies inside"), ("Images/deeper", "lies inside"), ("../full", "is not empty")],
)
def test_nothing_is_fixed_in_place_or_over_something_else(messy, tmp_path, capsys, out, words):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    before = digests(tmp_path)
    assert main(["fix", str(messy), "--out", str(messy / out)]) in (1, 2)
    assert words in capsys.readouterr().err
    assert digests(tmp_path) == before


def test_a_copy_of_nothing_is_an_error_and_leaves_no_folder(tmp_path, capsys):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "bad" / "a.txt").write_text("a panda")
    (tmp_path / "silent").mkdir()
    (tmp_path / "silent" / "a.jpg").write_bytes(picture_bytes(1))
    (tmp_path / "empty").mkdir()
    for name, words in (
        ("bad", "No picture is left"),
        ("silent", "has a caption"),
        ("empty", "no pictures"),
    ):
        assert main(["import", str(tmp_path / name), "--out", str(tmp_path / "out")]) == 1
        assert words in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
        assert not (tmp_path / ".out.part").exists()


def test_imagefolders_by_metadata_and_by_label(tmp_path):
    hugging = tmp_path / "hugging"
    (hugging / "deep").mkdir(parents=True)
    (hugging / "deep" / "1.jpg").write_bytes(picture_bytes(1))
    (hugging / "1.jpg").write_bytes(picture_bytes(2))
    lines = [{"file_name": "deep/1.jpg", "text": "deep"}, {"file_name": "1.jpg", "text": "flat"}]
    (hugging / "metadata.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    assert main(["import", str(hugging / "metadata.jsonl"), "--out", str(tmp_path / "a")]) == 0
    assert Collected(tmp_path / "a").captions == {"1": "flat\n", "1-2": "deep\n"}

    for number, label in enumerate(("red_panda", "brown-bear")):
        (tmp_path / "labels" / label).mkdir(parents=True)
        (tmp_path / "labels" / label / "x.jpg").write_bytes(picture_bytes(number))
    assert main(["import", str(tmp_path / "labels"), "--out", str(tmp_path / "b")]) == 0
    assert Collected(tmp_path / "b").captions == {"x": "brown bear\n", "x-2": "red panda\n"}


# --- zip ----------------------------------------------------------------------------------------


def zipped(path: Path, files: dict[str, bytes], compression=zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_a_zip_is_imported_and_unpacked_nowhere_else(tmp_path):
    files = {"set/a.jpg": picture_bytes(1), "set/a.txt": b"a panda", "set/run.exe": b"MZ"}
    archive = zipped(tmp_path / "set.zip", files)
    assert main(["import", str(archive), "--out", str(tmp_path / "out")]) == 0
    assert Collected(tmp_path / "out").captions == {"a": "a panda\n"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set.zip"]


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "/tmp/evil.jpg", "a/../../evil.jpg", "C:\\evil.jpg", "..\\evil.jpg"]
)
def test_a_zip_that_would_write_elsewhere_is_refused(tmp_path, capsys, name):
    archive = zipped(tmp_path / "set.zip", {"a.jpg": picture_bytes(1), name: picture_bytes(2)})
    assert main(["import", str(archive), "--out", str(tmp_path / "deep" / "out")]) == 1
    assert "outside the folder" in capsys.readouterr().err
    assert not list(tmp_path.rglob("evil*"))
    assert not (tmp_path / "deep" / "out").exists()


def test_a_zip_with_a_link_a_bomb_or_a_lie_is_refused(tmp_path, capsys):
    link = zipfile.ZipInfo("a.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    zipped(tmp_path / "bomb.zip", {"a.jpg": b"\0" * 3_000_000})
    # The directory says one byte where there are many: reading stops at what was promised.
    lying = bytearray(zipped(tmp_path / "lie.zip", {"a.jpg": picture_bytes(1)}).read_bytes())
    size = len(picture_bytes(1)).to_bytes(4, "little")
    (tmp_path / "lie.zip").write_bytes(lying.replace(size, (1).to_bytes(4, "little")))
    (tmp_path / "none.zip").write_bytes(b"no zip")
    for name, words in (
        ("link.zip", "is a link"),
        ("bomb.zip", "grow more than 100-fold"),
        ("lie.zip", "cannot be unpacked"),
        ("none.zip", "not a zip"),
        ("missing.zip", "no file"),
    ):
        assert main(["import", str(tmp_path / name), "--out", str(tmp_path / "out")]) != 0
        assert words in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


# --- CSV ----------------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server = Archive()
    yield server
    server.close()


PRIVATE = ["--allow-private-addresses", "127.0.0.1", "--min-side", "64"]


def test_a_csv_of_urls_with_captions(archive, tmp_path, capsys):
    urls = archive.pictures(2)
    lines = [
        "url,caption,license,creator",
        f'{urls[0]},"a panda, asleep",by,Ada',
        f"{urls[1]},IMG_1,,",
    ]
    (tmp_path / "list.csv").write_text("\n".join([*lines, f"{archive.url}/gone.jpg,gone,,"]))
    arguments = ["import", "list.csv", "--out", "out", "--requests-per-second", "0", *PRIVATE]
    assert main(arguments) == 0
    folder = Collected(tmp_path / "out")
    assert sorted(folder.captions.values()) == ["IMG_1\n", "a panda, asleep\n"]
    assert "by Ada, by" in (folder.path / "ATTRIBUTION.md").read_text()
    assert folder.reasons == {"gone.jpg": "HTTP 404"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("link,caption\nx,y\n", ["list.csv:1: no column url"]),
        (
            "url,caption\nx,y\nhttps://example.org/a.jpg,\n",
            ["list.csv:2: not an address", "list.csv:3: no caption"],
        ),
        ("url,caption\nhttp://example.org/a.jpg,a\n", ["list.csv:2: not https"]),
        ('url,caption\n"x,y\n', ["list.csv: "]),
    ],
)
def test_a_bad_csv_is_refused_with_all_its_lines(archive, tmp_path, capsys, text, words):
    (tmp_path / "list.csv").write_text(text)
    assert main(["import", "list.csv", "--out", "out"]) == 1
    errors = capsys.readouterr().err
    for word in words:
        assert word in errors


def test_options_that_nobody_knows_are_refused(tmp_path, capsys):
    assert main(["import", str(tmp_path), "--out", str(tmp_path / "o"), "--cuont", "3"]) == 2
    with pytest.raises(SystemExit):
        main(["fix", str(tmp_path), "--out", str(tmp_path / "o"), "--cuont", "3"])


# --- names and captions -------------------------------------------------------------------------


@given(st.text(max_size=200))
def test_a_safe_stem_is_safe_everywhere(stem):
    safe = safe_stem(stem)
    assert safe
    assert len(safe) <= 88
    assert all(c.isascii() and (c.isalnum() or c in "-_") for c in safe)
    assert safe_stem(safe) == safe
    assert safe.lower() not in ("con", "nul", "com1", "lpt9")


@given(st.lists(st.sampled_from(["a", "A", "a-2", "b"]), max_size=12))
def test_names_are_unique_even_where_case_does_not_count(stems):
    taken: set[str] = set()
    names = [unique(stem, taken) for stem in stems]
    assert len({name.casefold() for name in names}) == len(stems)


@given(st.text(max_size=600))
def test_a_tidy_caption_fits_and_stays_as_it_is(caption):
    tidy = tidy_caption(caption)
    assert count_tokens(tidy) <= 77
    assert "\n" not in tidy
    assert tidy_caption(tidy) == tidy
