"""Pictures and files as people really have them, made in code."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def scene(seed: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """A picture unlike any with another seed."""
    random = np.random.default_rng(seed)
    blobs = random.integers(0, 255, (5, 6, 3), np.uint8)
    image = Image.fromarray(blobs).resize(size, Image.Resampling.BICUBIC)
    x, y = random.integers(10, min(size) - 10, 2).tolist()
    colour = tuple(random.integers(0, 255, 3).tolist())
    ImageDraw.Draw(image).ellipse((x - 9, y - 9, x + 9, y + 9), fill=colour)
    return image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be enormous."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )


def huge_webp(width: int, height: int) -> bytes:
    """A WebP whose extended header claims a canvas."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size
    return b"RIFF" + struct.pack("<I", len(body)) + body


def huge_bmp(width: int, height: int) -> bytes:
    """A bitmap of which there is only the header."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head


def fill(folder: Path, captions: dict[str, str | bytes | None], first_seed: int = 0) -> Path:
    """Write a picture under each name and its caption beside it; None writes no caption."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, caption) in enumerate(captions.items(), start=first_seed):
        scene(seed).save(folder / name)
        if caption is not None:
            data = caption if isinstance(caption, bytes) else caption.encode()
            (folder / name).with_suffix(".txt").write_bytes(data)
    return folder
