"""Write a folder of pictures and captions, and the photos of a camera that was held otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def save(
    folder: Path, name: str, image: Image.Image, caption: str | bytes, **options: object
) -> None:
    """Write one picture and its caption."""
    for part in ("Images", "ImageCaptions"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    kind = {"jpg": "JPEG", "jpeg": "JPEG"}.get(name.rpartition(".")[2].lower())
    image.save(
        folder / "Images" / name,
        kind or name.rpartition(".")[2].upper(),
        **{**({"quality": 95} if kind else {}), **options},
    )
    data = caption if isinstance(caption, bytes) else caption.encode()
    (folder / "ImageCaptions" / f"{name.rpartition('.')[0]}.txt").write_bytes(data)


def grey16() -> Image.Image:
    """Return a 16-bit grey picture of half the brightness."""
    return Image.fromarray(np.full((80, 80), 32768, dtype=np.uint16))


def turned() -> Image.Image:
    """Return a picture whose upper half is red once the turn in its EXIF tag is applied."""
    image = Image.new("RGB", (80, 80), (255, 0, 0))
    image.paste((0, 0, 255), (0, 40, 80, 80))
    return image.transpose(Image.Transpose.ROTATE_90)  # as a camera stores it: tag 6 turns it back


def exif_turn(orientation: int = 6) -> dict[str, object]:
    """Return the option that writes an orientation into a JPEG: "turn me clockwise", if none."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    return {"exif": tags}
