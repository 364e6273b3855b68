"""Hostile files: where each lies, and what the hub has to say about it.

In a contribution's folder the static check reads them; what a worker leaves is read by the reader
that the harness uses for it. Nothing here runs a contribution.
"""

from __future__ import annotations

import io
import json
import pickle
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, PngImagePlugin

from harness import paths
from harness.check import check_folder
from harness.check.render import render_text
from toolkit.core.errors import HubError
from toolkit.images.sheet import comparison_sheet, open_picture

CLEAN = paths.ROOT / "tests" / "fixtures" / "check" / "clean_code"
SCRIPT = b"<html><script>alert(1)</script></html>"
COMMANDS = "\x1b[2J::set-env name=A::b"


class Bomb:
    """Whoever unpickles this runs it."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        """Tell pickle to call exec."""
        return exec, ("raise SystemExit('the pickle was run')",)


@dataclass(frozen=True)
class HostileFile:
    """One file that means harm.

    Args:
        does: What it is, in a few words.
        place: A path in a contribution's folder, or one of `READERS`.
        data: Its bytes.
        answer: What the hub's answer must contain.
    """

    does: str
    place: str
    data: Callable[[], bytes]
    answer: str


def png(size: tuple[int, int] = (64, 64), text: str | None = None) -> bytes:
    """Return a real PNG."""
    buffer, info = io.BytesIO(), PngImagePlugin.PngInfo()
    if text is not None:
        info.add_text("Comment", text, zip=True)
    Image.effect_noise(size, 50).convert("RGB").save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def gif() -> bytes:
    """Return a GIF."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "GIF")
    return buffer.getvalue()


def jpeg() -> bytes:
    """Return a real JPEG."""
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG."""
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def png_bomb(side: int) -> bytes:
    """Return a PNG that promises a size and holds no pixels."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def text_bomb() -> bytes:
    """Return a PNG whose comment is small in the file and 64 MB in memory."""
    data = png()
    comment = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * (64 << 20), 9))
    return data[:33] + comment + data[33:]


def archive() -> bytes:
    """Return a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("run.py", "print('hidden')")
    return buffer.getvalue()


def safetensors(header: object, body: bytes = b"") -> bytes:
    """Return a safetensors file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def promise(name: str) -> bytes:
    """Return a file of a hundred bytes whose header promises four exbibytes."""
    shape, end = [1 << 30, 1 << 30], 1 << 62
    return safetensors({name: {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}, b"1234")


PICTURE, CAPTION = "Dataset/Images/robot2.png", "Dataset/ImageCaptions/robot2.txt"
WEIGHTS, SETTINGS = "weights.safetensors", "contribution.toml"
OWN, DELTA, LORA = "its own picture", "the delta it leaves", "a LoRA file"

FILES = {
    "PngBomb": HostileFile(
        "a PNG of 100 bytes that says it is 30000 x 30000",
        PICTURE,
        lambda: png_bomb(30000),
        "HUB309",
    ),
    "PngBombDrawn": HostileFile(
        "the same, left as a drawn picture", OWN, lambda: png_bomb(30000), "cannot be read"
    ),
    "PngBombBelowPillow": HostileFile(
        "5000 x 5000, which Pillow itself would only warn of", OWN, lambda: png_bomb(5000), "pixels"
    ),
    "TextBomb": HostileFile("a PNG comment of 64 MB, packed", PICTURE, text_bomb, "HUB307"),
    "TextBombDrawn": HostileFile("the same, left as a drawn picture", OWN, text_bomb, "cannot be"),
    "Truncated": HostileFile("half a PNG", PICTURE, lambda: png()[:3000], "HUB307"),
    "TruncatedDrawn": HostileFile("half a PNG, drawn", OWN, lambda: png()[:3000], "cannot be read"),
    "GifInDisguise": HostileFile(
        "a format that is not listed, named .png", OWN, gif, "cannot be read"
    ),
    "PngAndZip": HostileFile(
        "a PNG that is also a zip", PICTURE, lambda: png() + archive(), "HUB307"
    ),
    "JpegAndZip": HostileFile(
        "a JPEG that is also a zip",
        "Dataset/Images/robot2.jpg",
        lambda: jpeg() + archive(),
        "HUB307",
    ),
    "PngAndPage": HostileFile(
        "a PNG with a web page behind it", PICTURE, lambda: png() + SCRIPT, "HUB307"
    ),
    "PageAsPng": HostileFile("a web page named .png", PICTURE, lambda: SCRIPT, "HUB306"),
    "ScriptInPng": HostileFile(
        "a drawn PNG with a script in its comment",
        OWN,
        lambda: png(text=SCRIPT.decode()),
        "published without it",
    ),
    "PickleRenamed": HostileFile(
        "a pickle named .safetensors", WEIGHTS, lambda: pickle.dumps(Bomb()), "HUB402"
    ),
    "PickleAsDelta": HostileFile(
        "a pickle left as the delta", DELTA, lambda: pickle.dumps(Bomb()), "not a safetensors file"
    ),
    "PickleAsLora": HostileFile(
        "a pickle given as a LoRA", LORA, lambda: pickle.dumps(Bomb()), "pickle"
    ),
    "HeaderBomb": HostileFile(
        "a safetensors header of 4 EiB", LORA, lambda: struct.pack("<Q", 1 << 62) + b"{}", "header"
    ),
    "NestedHeader": HostileFile(
        "a header of 200,000 brackets", LORA, lambda: safetensors(b"[" * 200_000), "JSON"
    ),
    "TensorBomb": HostileFile(
        "a header that promises 4 EiB of weights",
        LORA,
        lambda: promise("lora_unet_conv_in.lora_up.weight"),
        "shape",
    ),
    "TensorBombDelta": HostileFile(
        "the same, left as the delta", DELTA, lambda: promise("unet.weight"), "deserializing"
    ),
    "NestedSettings": HostileFile(
        "a contribution.toml of 50,000 brackets",
        SETTINGS,
        lambda: b"a = " + b"[" * 50_000,
        "HUB101",
    ),
    "HugeSettings": HostileFile(
        "a contribution.toml of 2 MB", SETTINGS, lambda: b"# x\n" * 500_000, "HUB101"
    ),
    "CommandsInName": HostileFile(
        "a caption whose name clears the terminal and sets a CI variable",
        f"Dataset/ImageCaptions/{COMMANDS}.txt",
        lambda: b"a robot\n",
        "HUB410",
    ),
    "CommandsInCaption": HostileFile(
        "the same in a caption", CAPTION, lambda: COMMANDS.encode(), "HUB408"
    ),
    "ScriptInSettings": HostileFile(
        "a script, a terminal and a CI command as its summary",
        SETTINGS,
        lambda: (
            b'name = "Clean"\nauthors = ["a"]\nhooks = ["train"]\n'
            b'summary = "<script>1</script>\\u001b[2J\\n::set-env name=A::b"\n'
        ),
        "HUB104",
    ),
}


def answer(name: str, folder: Path) -> str:
    """Put one file in its place below an empty folder; return what the hub says about it."""
    file = FILES[name]
    if file.place in READERS:
        path = folder / {OWN: "own-0.png"}.get(file.place, "delta.safetensors")
        path.write_bytes(file.data())
        try:
            return READERS[file.place](path)
        except HubError as error:
            return str(error)
    root = folder / "CONTRIBUTIONS" / "Clean"
    shutil.copytree(CLEAN, root)
    path = root / file.place
    path.write_bytes(file.data())
    if path.parent.name == "Images":
        (root / "Dataset" / "ImageCaptions" / f"{path.stem}.txt").write_text("a sks robot\n")
    return render_text(check_folder(root, root=folder))


def read_own_picture(path: Path) -> str:
    """Decode a picture as the hub does, and publish it as the hub does: on a sheet."""
    sheet = io.BytesIO()
    comparison_sheet([("x", [open_picture(path)])], ["x"], 64).save(sheet, "WEBP")
    found = SCRIPT[:14] in sheet.getvalue()
    return "The script is published, too." if found else "Read; published without it."


def read_left_delta(path: Path) -> str:
    """Read a delta as the scorer does."""
    from torch import nn

    from toolkit.deltas.file import read_delta

    read_delta(path, {"unet": nn.Linear(3, 2), "text_encoder": nn.Linear(2, 2)})
    return "Accepted."


def read_given_lora(path: Path) -> str:
    """Read a LoRA file as every command does."""
    from toolkit.lora_files.read import read_lora

    read_lora(path)
    return "Accepted."


READERS: dict[str, Callable[[Path], str]] = {
    OWN: read_own_picture,
    DELTA: read_left_delta,
    LORA: read_given_lora,
}
