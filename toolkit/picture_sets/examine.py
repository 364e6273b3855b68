"""Decode every picture of a set once and note what the checks and the page need.

Reading and decoding releases Python's lock, so pictures are looked at in several threads.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from PIL import Image

from toolkit.core.errors import DataSetError
from toolkit.images.decode import Header, load_rgb, read_header

from .captions import content_hash
from .duplicates import Fingerprint, fingerprint
from .folder import Picture
from .problems import Problem, as_problem

# Called with (pictures done, pictures in all).
Progress = Callable[[int, int], None]

# What fingerprints and thumbnails are made of, in pixels of the shorter side.
ENOUGH_PX = 256
# Below this deviation of its brightness (0 to 255) a picture shows nothing.
BLANK_BELOW = 2.0


class Facts(NamedTuple):
    """What is known of one picture that can be read."""

    picture: Picture
    header: Header
    content: str  # sha256 of the file
    print: Fingerprint
    blank: bool
    thumbnail: bytes  # WebP, b"" when none was asked for


def examine(
    pictures: Sequence[Picture], thumbnail_px: int = 0, progress: Progress | None = None
) -> tuple[list[Facts], list[Problem]]:
    """Look at every picture.

    Args:
        pictures: Paths and captions.
        thumbnail_px: Keep thumbnails with sides up to this; 0 for none.
        progress: Hears of each picture.

    Returns:
        The facts of those that can be read, in order, and a problem for each of the others.
    """

    def look(picture: Picture) -> Facts | Problem:
        try:
            return facts_of(picture, thumbnail_px)
        except DataSetError as error:
            return as_problem("unreadable", picture.path, what=error.what, fix=error.fix or None)

    facts: list[Facts] = []
    problems: list[Problem] = []
    # Filters are one for all threads, so they are set once around them: Pillow warns of oddities in
    # EXIF and of sizes that are refused here anyway.
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")
        try:
            for number, found in enumerate(pool.map(look, pictures), start=1):
                if isinstance(found, Problem):
                    problems.append(found)
                else:
                    facts.append(found)
                if progress:
                    progress(number, len(pictures))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for a thousand pictures
            raise
    return facts, problems


def facts_of(picture: Picture, thumbnail_px: int = 0) -> Facts:
    """Look at one picture.

    Raises:
        DataSetError: It cannot be read.
    """
    header = read_header(picture.path)
    # Every byte is decoded, so damage is found; but a photo of 12 megapixels costs half the time.
    image = load_rgb(picture.path, enough_px=ENOUGH_PX)
    image = image.reduce(max(1, min(image.size) // ENOUGH_PX))
    thumbnail = b""
    if thumbnail_px:
        small = image.copy()
        small.thumbnail((thumbnail_px, thumbnail_px), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        small.save(buffer, "WEBP", quality=75)
        thumbnail = buffer.getvalue()
    brightness = np.asarray(image.resize((64, 64), Image.Resampling.BOX).convert("L"), np.float64)
    return Facts(
        picture=picture,
        header=header,
        content=content_hash(picture.path),
        print=fingerprint(image),
        blank=float(brightness.std()) < BLANK_BELOW,
        thumbnail=thumbnail,
    )
