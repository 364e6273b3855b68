"""Pillow's limits, lowered in one place, for everything of the hub that decodes pictures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile, PngImagePlugin

from toolkit.images.limits import MAX_PIXELS, MAX_TEXT_BYTES


def lower() -> None:
    """Lower the limits of this process: pixels, text chunks; truncated files are refused."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    PngImagePlugin.MAX_TEXT_CHUNK = MAX_TEXT_BYTES
    PngImagePlugin.MAX_TEXT_MEMORY = 2 * MAX_TEXT_BYTES


@contextmanager
def guarded() -> Iterator[None]:
    """Decode under the limits; the warning about a bomb is an error inside."""
    lower()
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
