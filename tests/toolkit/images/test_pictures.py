"""Pictures come from strangers: limits before pixels."""

import io
import struct
import zlib

import pytest
from PIL import Image, ImageFont

from toolkit.core.errors import UsageError
from toolkit.images.sheet import open_picture, shortened


def png_header(width, height):
    """A PNG that promises a size and holds no pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(5000, 5000), (20000, 20000), (60000, 60000)])
def test_a_picture_bomb_is_refused_by_its_header(tmp_path, size):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(*size))
    with pytest.raises(UsageError) as caught:
        open_picture(path)
    assert str(path) in str(caught.value)


def test_truncated_and_foreign_files_are_refused(tmp_path):
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "PNG")
    truncated, gif, text = (tmp_path / name for name in ("a.png", "b.png", "c.png"))
    truncated.write_bytes(buffer.getvalue()[:-2000])
    Image.new("RGB", (8, 8)).save(gif, "GIF")
    text.write_text("no picture")
    for path in (truncated, gif, text, tmp_path / "missing.png"):
        with pytest.raises(UsageError):
            open_picture(path)


def test_long_headings_are_cut_to_their_column():
    font = ImageFont.load_default(size=12)
    assert shortened("base", 128, font) == "base"
    cut = shortened("A" * 39, 128, font)
    assert cut.endswith("…")
    assert font.getlength(cut) <= 128


def test_metadata_that_is_not_what_it_claims_is_a_fault_with_an_address(tmp_path):
    path = tmp_path / "evil.webp"
    Image.new("RGB", (8, 8)).save(path, exif=b"Exif\0\0not a TIFF header")
    with pytest.raises(UsageError, match="cannot be read"):
        open_picture(path)
