"""Examine an untrusted picture: the header first, then the container's checksums."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from functools import cached_property
from typing import NamedTuple

from toolkit.images import limits

# What `Image.convert("RGB")` turns into the same picture. "I", "I;16" and "F" are left out on
# purpose: their values above 255 are clipped to white without a word.
RGB_ABLE = frozenset(
    {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"}
)

# The record that ends a zip archive, with the longest comment.
ZIP_END_BYTES = 22 + 65535

_MAGIC = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff"}


class Header(NamedTuple):
    """What the first bytes of a picture say."""

    format: str
    width: int
    height: int
    mode: str


class Picture:
    """One file of Dataset/Images; everything is found out on first use."""

    def __init__(self, path: str, suffix: str, data: bytes) -> None:
        self.path = path
        self.suffix = suffix
        self.data = data

    @cached_property
    def real_format(self) -> str | None:
        """The format by its first bytes, whatever the extension says."""
        return kind_of(self.data)

    @property
    def header(self) -> Header | None:
        """The header, or None when it cannot be read."""
        return self._looked_at[0]

    @property
    def fault(self) -> str | None:
        """Why the picture cannot be decoded, or None."""
        return self._looked_at[1]

    @property
    def is_huge(self) -> bool:
        """Whether it has more pixels than anything here should decode."""
        return (
            self.header is not None and self.header.width * self.header.height > limits.MAX_PIXELS
        )

    @cached_property
    def _looked_at(self) -> tuple[Header | None, str | None]:
        if self.real_format is None:
            return None, "it is not a PNG, JPEG or WEBP picture"
        # Pillow allocates a WEBP's whole canvas on opening, so its size has to be known before.
        width, height = declared_size(self.real_format, self.data)
        if width * height > limits.MAX_PIXELS:
            return Header(self.real_format, width, height, "RGB"), None
        from PIL import Image, ImageFile

        with warnings.catch_warnings():
            # Pillow's own bomb warning starts at 89 megapixels; our limit is below that.
            warnings.simplefilter("ignore")
            try:
                with Image.open(io.BytesIO(self.data), formats=(self.real_format,)) as image:
                    header = Header(self.real_format, *image.size, image.mode)
                    fault = container_fault(self.real_format, self.data)
                    pixels = header.width * header.height
                    if fault is None and pixels <= limits.MAX_DECODED_PIXELS:
                        ImageFile.LOAD_TRUNCATED_IMAGES = False
                        image.load()
            except Image.DecompressionBombError:
                # A JPEG of this size has sides near the format's own limit.
                return Header(self.real_format, 65535, 65535, "RGB"), None
            except Exception as error:
                # Pillow's decoders raise whatever they like (OSError, SyntaxError, struct.error,
                # ValueError, ...); for us it all means: this picture is not one.
                return None, f"Pillow says: {str(error)[:120] or type(error).__name__}"
        return header, fault


def kind_of(head: bytes) -> str | None:
    """Return the format by a file's first 12 bytes, whatever it is called."""
    for name, magic in _MAGIC.items():
        if head.startswith(magic):
            return name
    return "WEBP" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def declared_size(kind: str, data: bytes) -> tuple[int, int]:
    """Return width and height as a PNG or WEBP header gives them; (0, 0) when unknown."""
    try:
        if kind == "PNG":
            width, height = struct.unpack_from(">II", data, 16)
            return width, height
        if kind == "JPEG":
            return 0, 0  # Its size stands after other segments; Pillow reads it lazily and safely.
        if data[12:16] == b"VP8X":
            width, high, height, top = struct.unpack_from("<HBHB", data, 24)
            return width + (high << 16) + 1, height + (top << 16) + 1
        if data[12:16] == b"VP8L":
            bits = struct.unpack_from("<I", data, 21)[0]
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        if data[12:16] == b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
    except struct.error:  # The file ends inside its header; Pillow says so in words.
        return 0, 0
    return 0, 0


def container_fault(kind: str, data: bytes) -> str | None:
    """Return what is wrong with the file around the pixels, or None."""
    if kind == "PNG":
        return _png_fault(data)
    # A zip archive is read from its end, so it can hang behind anything and be both.
    if b"PK\x05\x06" in data[-ZIP_END_BYTES:] and b"PK\x03\x04" in data:
        return "a zip archive is hidden behind its end"
    if kind == "JPEG":
        # The end mark has to follow the last scan: a thumbnail in the header has its own.
        ends = data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") > 0
        return None if ends else "its end is missing"
    size = struct.unpack_from("<I", data, 4)[0] + 8
    return None if size <= len(data) + 1 else "its end is missing"


def _png_fault(data: bytes) -> str | None:
    at = len(_MAGIC["PNG"])
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        end = at + 12 + length
        if end > len(data):
            break
        checksum = struct.unpack_from(">I", data, end - 4)[0]
        if zlib.crc32(memoryview(data)[at + 4 : end - 4]) != checksum:
            return "a checksum inside it is wrong"
        if data[at + 4 : at + 8] == b"IEND":
            return None if end == len(data) else "something is hidden behind its end"
        at = end
    return "its end is missing"
