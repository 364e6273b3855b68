"""All pictures of a call on one sheet: a row for each prompt, each picture with its caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from toolkit.core import atomic
from toolkit.drawings.metadata import Drawing, free_name, picture_name, save_picture
from toolkit.images.sheet import shortened

CAPTION_PX = 18
GAP_PX = 6
LEAST_SIDE_PX = 160  # smaller pictures are enlarged, so that a caption fits under them


def captioned_grid(
    rows: Sequence[Sequence[Image.Image]], captions: Sequence[Sequence[str]]
) -> Image.Image:
    """Return a sheet with the rows of pictures, each with its caption below.

    Args:
        rows: RGB pictures of one size; rows may differ in length.
        captions: One text for each picture, cut to its width.
    """
    width, height = rows[0][0].size
    factor = max(1, -(-LEAST_SIDE_PX // width))
    width, height = width * factor, height * factor
    columns = max(len(row) for row in rows)
    step_x, step_y = width + GAP_PX, height + CAPTION_PX + GAP_PX
    sheet = Image.new("RGB", (columns * step_x + GAP_PX, len(rows) * step_y + GAP_PX), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for y, (row, texts) in enumerate(zip(rows, captions, strict=True)):
        for x, (picture, text) in enumerate(zip(row, texts, strict=True)):
            left, top = GAP_PX + x * step_x, GAP_PX + y * step_y
            sheet.paste(picture.resize((width, height), Image.Resampling.NEAREST), (left, top))
            place = (left + width // 2, top + height + 2)
            pen.text(place, shortened(text, width, font), "dimgrey", font, anchor="ma")
    return sheet


def save_grid(
    pictures: Sequence[Image.Image], drawings: Sequence[Drawing], count: int, path: Path
) -> None:
    """Write all pictures of a call on one sheet.

    Args:
        pictures: In the order in which they were drawn.
        drawings: What each says about itself.
        count: Pictures per prompt, which make a row.
        path: A PNG.
    """
    captions = [f"{drawing.seed}: {drawing.prompt}" for drawing in drawings]
    starts = range(0, len(pictures), count)
    rows = [pictures[i : i + count] for i in starts]
    with atomic.replacing(path) as temporary:
        captioned_grid(rows, [captions[i : i + count] for i in starts]).save(temporary, "PNG")


def save_all(
    pictures: Sequence[Image.Image],
    drawings: Sequence[Drawing],
    count: int,
    out: Path,
) -> list[Path]:
    """Write the pictures of a call under names that replace no others, and a grid of several.

    Args:
        pictures: In the order in which they were drawn.
        drawings: What each is.
        count: Pictures per prompt.
        out: The folder.

    Returns:
        The files, the grid last.
    """
    files = []
    for picture, drawing in zip(pictures, drawings, strict=True):
        files.append(free_name(out / picture_name(drawing), drawing))
        save_picture(picture, files[-1], drawing)
    if len(pictures) > 1:
        files.append(free_name(out / "grid.png"))
        save_grid(pictures, drawings, count, files[-1])
    return files
