"""Decode pictures under limits, and lay them out side by side."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from toolkit.core.errors import UsageError
from toolkit.images.guarded import guarded
from toolkit.images.limits import FORMATS, MAX_PIXELS

# Pillow says SyntaxError or ValueError of metadata that is not what it claims to be.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)

GAP_PX = 6
LABEL_PX = 18
CAPTION_PX = 16


def open_picture(path: Path) -> Image.Image:
    """Decode one picture to RGB; size and format are checked before its pixels are read.

    Raises:
        UsageError: It is too large, truncated, or of another format.
    """
    try:
        with guarded(), Image.open(path, formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise UsageError(
                    f"The picture has {picture.width}x{picture.height} pixels.",
                    where=str(path),
                    fix=f"Use pictures of at most {MAX_PIXELS:,} pixels.",
                )
            return ImageOps.exif_transpose(picture).convert("RGB")
    except UNREADABLE as error:
        raise UsageError(
            f"The picture cannot be read: {error}",
            where=str(path),
            fix="Save it again as PNG, JPEG or WebP.",
        ) from error


def comparison_sheet(
    columns: Sequence[tuple[str, Sequence[Image.Image]]], captions: Sequence[str], side_px: int
) -> Image.Image:
    """Lay pictures out as a table: one column per model, one row per prompt.

    Args:
        columns: (heading, pictures in the order of the captions).
        captions: One per row, written under the row.
        side_px: Side of each picture on the sheet.
    """
    step = side_px + GAP_PX
    width = GAP_PX + step * len(columns)
    height = LABEL_PX + (step + CAPTION_PX) * len(captions) + GAP_PX
    sheet = Image.new("RGB", (width, height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for column, (heading, pictures) in enumerate(columns):
        left = GAP_PX + column * step
        shown = shortened(heading, side_px, font)
        pen.text((left + side_px // 2, 3), shown, "black", font, anchor="mt")
        for row, picture in enumerate(pictures):
            top = LABEL_PX + row * (step + CAPTION_PX)
            # Nearest neighbour: an enlarged 64 px picture should show its pixels as they are.
            scaled = picture.resize((side_px, side_px), Image.Resampling.NEAREST)
            sheet.paste(scaled, (left, top))
    for row, caption in enumerate(captions):
        top = LABEL_PX + row * (step + CAPTION_PX) + side_px
        pen.text((width // 2, top + 3), caption, "dimgrey", font, anchor="mt")
    return sheet


def shortened(text: str, width_px: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Cut a text so that it fits a width, with an ellipsis where something was left out."""
    if font.getlength(text) <= width_px:
        return text
    while text and font.getlength(f"{text}…") > width_px:
        text = text[:-1]
    return f"{text}…"
