"""Normalise a picture for every program: upright, 8-bit RGB or grey, without metadata."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from toolkit.images.decode import as_rgb

SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
JPEG_QUALITY = 95


def plain_rgb(image: Image.Image) -> Image.Image:
    """Return a decoded picture upright, without transparency and without metadata.

    The same object when there is nothing to do, so that its file can be kept as it is.
    """
    bare = not image.has_transparency_data and not image.getexif()
    if image.mode in ("RGB", "L") and bare and not image.info.get("icc_profile"):
        return image
    plain = as_rgb(ImageOps.exif_transpose(image))
    plain.info.clear()  # GPS positions and the like
    return plain


def encoded(image: Image.Image, kind: str) -> tuple[bytes, str]:
    """Return a picture as a file, and the file's format.

    Args:
        image: A plain picture.
        kind: The format it came in. What was a JPEG becomes a good JPEG, anything else a PNG.
    """
    buffer = io.BytesIO()
    if kind == "JPEG":
        image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        return buffer.getvalue(), "JPEG"
    image.save(buffer, "PNG")
    return buffer.getvalue(), "PNG"
