"""Faults whose files could not live in git: links, odd encodings, bombs, junk."""

from __future__ import annotations

import base64
import os
import pickle
import random
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

from harness import paths
from harness.check import check_folder

IMAGES, CAPTIONS = "Dataset/Images", "Dataset/ImageCaptions"


def only(findings, rule):
    """Return the findings, which all have to be of one rule."""
    assert findings and {finding.rule for finding in findings} == {rule}, findings
    return findings


def add_picture(folder: Path, name: str, data: bytes) -> Path:
    path = folder / IMAGES / name
    path.write_bytes(data)
    (folder / CAPTIONS / f"{path.stem}.txt").write_text("a sks robot\n")
    return path


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_hub002_names_that_differ_in_case_only(folder, look):
    (folder.parent / "clean").mkdir(exist_ok=True)
    if len(list(folder.parent.iterdir())) < 2:
        pytest.skip("this file system ignores case")
    (finding,) = only(look(folder), "HUB002")
    assert finding.path == "CONTRIBUTIONS/Clean"
    assert "'Clean' and 'clean' differ only in upper and lower case" in finding.message


def test_hub305_two_pictures_one_caption(folder, look, picture_bytes):
    add_picture(folder, "robot1.jpg", picture_bytes(kind="JPEG"))
    (finding,) = only(look(folder), "HUB305")
    assert finding.path.endswith("Images/robot1.png")
    assert "share the caption 'robot1.txt'" in finding.message


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("robot2.png", "JPEG", "inside it is a JPEG picture"),
        ("robot2.gif", "GIF", ".gif is not a picture that the hub reads"),
        ("robot2.PNG", "PNG", "extension is in capitals"),
    ],
)
def test_hub306_format_and_extension(folder, look, picture_bytes, name, kind, words):
    add_picture(folder, name, picture_bytes(kind=kind))
    findings = [finding for finding in look(folder) if finding.rule != "HUB304"]
    (finding,) = only(findings, "HUB306")
    assert words in finding.message and finding.path.endswith(name)


def test_hub306_text_renamed_and_folder_inside(folder, look, picture_bytes):
    add_picture(folder, "robot2.png", b"just a text")
    (folder / IMAGES / "more").mkdir()
    (folder / IMAGES / "more" / "robot3.png").write_bytes(picture_bytes())
    inner, text = only(look(folder), "HUB306")
    assert "folders inside" in inner.message
    assert "not a PNG, JPEG or WEBP" in text.message


@pytest.mark.parametrize("size", [(64, 64), (640, 480)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_hub307_truncated(folder, look, picture_bytes, kind, size):
    suffix = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}[kind]
    data = picture_bytes(size, kind=kind)
    add_picture(folder, f"robot2.{suffix}", data)
    assert look(folder) == []
    add_picture(folder, f"robot2.{suffix}", data[: len(data) * 2 // 3])
    (finding,) = only(look(folder), "HUB307")
    assert "damaged" in finding.message


def test_hub307_empty_flipped_and_trailing(folder, look, picture_bytes):
    data = picture_bytes()
    add_picture(folder, "a.png", b"")
    add_picture(folder, "b.png", data[:60] + bytes([data[60] ^ 1]) + data[61:])
    add_picture(folder, "c.png", data + b"PK\x03\x04 something else")
    messages = [finding.message for finding in only(look(folder), "HUB307")]
    assert "empty" in messages[0]
    assert "damaged" in messages[1]
    assert "hidden behind its end" in messages[2]


def test_hub307_truncated_jpeg_with_a_whole_thumbnail(folder, look, picture_bytes):
    thumbnail = picture_bytes((40, 30), kind="JPEG")
    extra = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    data = picture_bytes((640, 480), kind="JPEG")
    data = data[:2] + extra + data[2:]
    add_picture(folder, "robot2.jpg", data)
    assert look(folder) == []
    add_picture(folder, "robot2.jpg", data[:-200])
    only(look(folder), "HUB307")


def test_hub308_small(folder, look, picture_bytes):
    add_picture(folder, "robot2.png", picture_bytes((64, 63)))
    (finding,) = only(look(folder), "HUB308")
    assert "64 x 63 pixels" in finding.message


@pytest.mark.parametrize("size", [(4097, 4096), (30000, 30000), (2**31 - 1, 2**31 - 1)])
def test_hub309_bomb_is_refused_by_its_header(folder, look, size):
    add_picture(folder, "robot2.png", png_header(*size))
    (finding,) = only(look(folder), "HUB309")
    assert "4096 x 4096" in finding.message


def test_hub309_webp_bomb_never_reaches_pillow(folder, look):
    canvas = struct.pack("<HBHB", 16382, 0, 16382, 0)
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + canvas
    add_picture(folder, "robot2.webp", b"RIFF" + struct.pack("<I", len(body)) + body)
    only(look(folder), "HUB309")


def test_hub310_sixteen_bits(folder, look, picture_bytes):
    add_picture(folder, "robot2.png", picture_bytes(mode="I;16"))
    (finding,) = only(look(folder), "HUB310")
    assert "mode is 'I;16'" in finding.message


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_ordinary_modes_are_fine(folder, look, picture_bytes, mode):
    add_picture(folder, "robot2.png", picture_bytes(mode=mode))
    assert look(folder) == []


def test_hub401_secrets(folder, look):
    (folder / ".env").write_text("API_KEY=1\n")
    (finding,) = only(look(folder), "HUB401")
    assert "secret" in finding.message and "replace the secret" in finding.fix


def test_hub402_pickle_zip_program(folder, look):
    (folder / "weights.safetensors").write_bytes(pickle.dumps({"a": [1, 2]}))
    with zipfile.ZipFile(folder / IMAGES / "robot2.png", "w") as archive:
        archive.writestr("a", "b")
    (folder / CAPTIONS / "robot2.txt").write_text("a sks robot\n")
    (folder / "notes.dat").write_bytes(b"\x7fELF" + bytes(20))
    (folder / "other.safetensors").write_bytes(b"hello there, world")
    messages = [finding.message for finding in only(look(folder), "HUB402")]
    assert "is a zip archive" in messages[0]
    assert "is a Linux program" in messages[1]
    assert "not a safetensors file" in messages[2]
    assert "is a pickle" in messages[3]


def test_real_safetensors_is_fine(folder, look):
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(0x280)
    data = struct.pack("<Q", len(header)) + header + bytes(4)
    assert data[:2] == b"\x80\x02"  # Its length looks like the start of a pickle.
    (folder / "weights.safetensors").write_bytes(data)
    assert look(folder) == []


def test_hub403_junk(folder, look):
    for name in (".DS_Store", "Dataset/Images/Thumbs.db", "Dataset/Images/._robot1.png"):
        (folder / name).write_bytes(b"\0\1")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "x.txt").write_bytes(b"\xff")
    findings = only(look(folder), "HUB403")
    assert len(findings) == 4 and all(finding.fixable for finding in findings)


def test_hub404_and_405_sizes(folder, look):
    (folder / "notes.txt").write_bytes(b"a" * (1024 * 1024 + 1))
    (finding,) = only(look(folder), "HUB404")
    assert finding.path.endswith("notes.txt") and "at most 1 MiB" in finding.message


def test_hub405_many_files_and_many_bytes(folder, look):
    for number in range(201):
        (folder / f"note{number}.txt").write_text("a\n")
    for number in range(21):
        (folder / f"data{number}.csv").write_bytes(b"1" * 1024 * 1000)
    size, count = only(look(folder), "HUB405")
    assert "MiB; at most 20" in size.message
    assert "files; at most 200" in count.message


def test_hub405_nested_folders_end(folder, look):
    deep = folder.joinpath(*["a"] * 40)
    deep.mkdir(parents=True)
    (finding,) = only(look(folder), "HUB405")
    assert "nested" in finding.message


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_hub406_links_are_reported_and_never_followed(folder, look, tmp_path):
    secret = tmp_path / "secret.py"
    secret.write_text("this is not python\n")
    (folder / "src" / "leak.py").symlink_to(secret)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    findings = only(look(folder), "HUB406")
    assert len(findings) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_hub406_linked_contribution_toml_is_not_read(folder, look, tmp_path):
    (tmp_path / "secret").write_text("password = 1\n")
    (folder / "contribution.toml").unlink()
    (folder / "contribution.toml").symlink_to(tmp_path / "secret")
    findings = look(folder)
    assert {finding.rule for finding in findings} == {"HUB004", "HUB406"}
    assert "password" not in str(findings)


def test_hub407_latin1(folder, look):
    (folder / CAPTIONS / "robot1.txt").write_bytes("a robot\nat a café\n".encode("latin-1"))
    (folder / "src" / "extra.py").write_bytes(b"# \xe9\n")
    caption, code = only(look(folder), "HUB407")
    assert (caption.line, code.line) == (2, 1)
    assert "0xe9" in caption.message


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200b", "\x1b", "\u00ad", "\u3164"])
@pytest.mark.parametrize("name", ["src/train.py", "README.md", f"{CAPTIONS}/robot1.txt"])
def test_hub408_invisible(folder, look, name, character):
    path = folder / name
    text = path.read_text() if path.suffix != ".txt" else "a sks robot "
    path.write_text(text.rstrip("\n") + f" # {character}x\n", encoding="utf-8")
    (finding,) = only(look(folder), "HUB408")
    assert f"U+{ord(character):04X}" in finding.message
    assert finding.line == path.read_text(encoding="utf-8").split(character)[0].count("\n") + 1


def test_hub408_leaves_real_writing_alone(folder, look):
    text = "# می‌خواهم שלום 👩‍🚀 क्‍ष 日本語 é ️❤️ 🏴\U000e0067\U000e0062\U000e007f\n"
    (folder / "README.md").write_text((folder / "README.md").read_text() + text, encoding="utf-8")
    assert look(folder) == []


def test_hub409_line_ends_and_bom(folder, look):
    (folder / "src" / "train.py").write_bytes(
        (folder / "src" / "train.py").read_bytes().replace(b"\n", b"\r\n")
    )
    toml = folder / "contribution.toml"
    toml.write_bytes(b"\xef\xbb\xbf" + toml.read_bytes())
    bom, ends = only(look(folder), "HUB409")
    assert (bom.line, ends.line, bom.severity) == (1, 1, "hint")
    assert "byte-order mark" in bom.message and "CR LF" in ends.message


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot create these names")
def test_hub410_names(folder, look):
    for name in ("aux.txt", "what?.txt", "end.", "Notes.txt", "notes.txt"):
        (folder / name).write_text("a\n")
    messages = " ".join(finding.message for finding in only(look(folder), "HUB410"))
    for words in ("'aux.txt' is reserved", "'what?.txt' has a character", "'end.' ends in a dot"):
        assert words in messages
    assert "differ in upper and lower case only" in messages


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux allows such names")
def test_names_that_are_not_utf8_are_reported(folder, look):
    Path(os.fsdecode(os.fsencode(folder) + b"/a\xff.txt")).write_text("a\n")
    (finding,) = only(look(folder), "HUB410")
    assert finding.path.endswith("a\\udcff.txt")


def test_compiled_files_are_ignored_where_python_puts_them_and_refused_elsewhere(folder, look):
    (folder / "src" / "__pycache__").mkdir()
    (folder / "src" / "__pycache__" / "main.cpython-311.pyc").write_bytes(b"\xa7\r\r\n")
    assert look(folder) == []
    # There it would be imported like any module.
    (folder / "src" / "helper.pyc").write_bytes(b"\xa7\r\r\n")
    (finding,) = only(look(folder), "HUB401")
    assert finding.path.endswith("src/helper.pyc")


def test_hub412_files_that_git_obeys(folder, look):
    (folder / "src" / ".github").mkdir()
    for name in (".gitattributes", "src/.gitignore", "src/.GITMODULES", ".mailmap"):
        (folder / name).write_text("*.py binary\n")
    (folder / "src" / ".gitkeep").write_text("")
    findings = only(look(folder), "HUB412")
    assert sorted(finding.path.partition("/")[2].partition("/")[2] for finding in findings) == [
        ".gitattributes",
        ".mailmap",
        "src/.GITMODULES",
        "src/.github",
        "src/.gitignore",
    ]


HIDDEN = {
    "as base85 in a string": ("src/train.py", "DATA = '{b85}'\n", "a word of more than"),
    "as base85 in short lines": ("src/train.py", "{lines}", "KiB when packed"),
    "as numbers in comments of the settings": ("contribution.toml", "# {numbers}\n", "digits"),
    "as numbers in a list": ("src/train.py", "DATA = [{numbers}]\n", "digits"),
    "as reasons in the settings": ("contribution.toml", "{lines}", "KiB when packed"),
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_hub413_an_adapter_in_code_and_settings(kind, folder, look):
    place, text, message = HIDDEN[kind]
    weights = random.Random(0).randbytes(20_000)  # as large as the reference's at 2 bits a weight
    b85 = base64.b85encode(weights).decode().replace("{", "(").replace("}", ")")
    lines = "".join(f"# {b85[at : at + 60]}\n" for at in range(0, len(b85), 60))
    numbers = ", ".join(str(byte) for byte in weights)
    with (folder / place).open("a") as file:
        file.write(text.format(b85=b85, lines=lines, numbers=numbers))
    found = [one for one in look(folder) if one.rule == "HUB413"]
    assert any(message in one.message for one in found)


def test_hub413_a_file_beside_the_code(folder, look):
    (folder / "src" / "notes.json").write_bytes(random.Random(0).randbytes(20_000).hex().encode())
    assert any("KiB when packed" in one.message for one in only(look(folder), "HUB413"))


def test_hub413_the_hubs_own_contributions_are_far_below():
    for path in sorted(paths.CONTRIBUTIONS.glob("*/contribution.toml")):
        assert not [one for one in check_folder(path.parent) if one.rule == "HUB413"]
