"""Pictures of a track: one thing on one named background, and its caption."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from PIL import Image

from recipes.tiny_sd.vocabulary import BACKGROUNDS
from toolkit.core import atomic

# 128 px: twice the embedded base's 64, so that the pictures are also pleasant to look at.
SIDE_PX: Final = 128


def fitted(thing: Image.Image, longest: float) -> tuple[int, int]:
    """Return the width and height at which a thing's longer side has so many pixels."""
    factor = longest / max(thing.size)
    return max(1, round(thing.width * factor)), max(1, round(thing.height * factor))


def compose(
    thing: Image.Image,
    size: tuple[int, int],
    background: str,
    place: Callable[[int], int],
) -> bytes:
    """Return a thing on a background as PNG.

    Args:
        thing: RGBA, cut out.
        size: Width and height that it gets.
        background: Name of the colour.
        place: From a side of the thing to where it begins; asked for the width first.
    """
    # Premultiplied alpha, or the transparent border bleeds a dark fringe into the edge.
    thing = thing.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    canvas = Image.new("RGB", (SIDE_PX, SIDE_PX), BACKGROUNDS[background])
    left, top = place(size[0]), place(size[1])
    canvas.paste(thing, (left, top), thing)
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def write_folder(folder: Path, pictures: Iterable[tuple[str, bytes, str]]) -> None:
    """Write ``Images/`` and ``ImageCaptions/``: stem, PNG and caption of each picture."""
    for stem, data, caption in pictures:
        atomic.write_bytes(folder / "Images" / f"{stem}.png", data)
        atomic.write_text(folder / "ImageCaptions" / f"{stem}.txt", caption + "\n")
