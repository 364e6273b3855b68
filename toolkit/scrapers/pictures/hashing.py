"""Recognise a picture that was collected before: the same file, or the same picture resized."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    import numpy as np

# Of the 64 bits of a hash. Re-saved and resized copies differ by 0 to 4; different pictures by 20+.
NEAR_BITS = 4


# A hash looks at 32 x 32 values; scaling a large picture down to them twice is four times faster.
SMALL_PX = 256
SEEN_PX = 32
WAVES = 8  # of the slowest of them, in each direction: 64 bits


def small_grey(image: Image.Image) -> Image.Image:
    """Return a picture in grey, no side longer than ``SMALL_PX``."""
    grey = image.convert("L")
    size = (min(grey.width, SMALL_PX), min(grey.height, SMALL_PX))
    return grey.resize(size, Image.Resampling.BOX)


def perceptual_hash(grey: Image.Image) -> str:
    """Return the pHash of a small grey picture as 16 hexadecimal digits.

    Which of the slow waves in the picture are stronger than their median (Zauner 2010,
    "Implementation and Benchmarking of Perceptual Image Hash Functions"). The hash of the package
    ImageHash, which would bring scipy along; and where that is installed, every program that loads
    a model imports it, for the better part of a second.
    """
    import numpy as np

    seen = np.asarray(grey.resize((SEEN_PX, SEEN_PX), Image.Resampling.LANCZOS), dtype=float)
    waves = cosines()
    strengths = waves @ seen @ waves.T  # (8, 8), the first corner of a discrete cosine transform
    # A plain picture has one wave, and beside it what is left by rounding: no bits.
    bits = (strengths > np.median(strengths) + 1e-6).flatten()
    return f"{int(''.join('1' if bit else '0' for bit in bits), 2):016x}"


@functools.cache
def cosines() -> np.ndarray:
    """Return the slowest waves over a line of pixels, (8, 32)."""
    import numpy as np

    middles = np.arange(SEEN_PX) + 0.5
    return np.cos(np.pi / SEEN_PX * np.outer(np.arange(WAVES), middles))


class Seen:
    """The pictures that are kept, to find duplicates of them."""

    def __init__(self) -> None:
        self._exact: dict[str, str] = {}
        self._near: dict[int, str] = {}

    def add(self, name: str, sha256: str, phash: str) -> None:
        """Remember a kept picture."""
        self._exact[sha256] = name
        self._near[int(phash, 16)] = name

    def exact(self, sha256: str) -> str | None:
        """Return the name of the picture with the same bytes, or None."""
        return self._exact.get(sha256)

    def near(self, phash: str) -> str | None:
        """Return the name of a picture that looks the same, or None."""
        wanted = int(phash, 16)
        # A linear search: a hundred nanoseconds for each picture that is there.
        for other, name in self._near.items():
            if (wanted ^ other).bit_count() <= NEAR_BITS:
                return name
        return None
