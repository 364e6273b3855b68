"""Recognise a picture that is there already: the same file, or the same picture in another size."""

from __future__ import annotations

from PIL import Image

# Of the 64 bits of a hash. Re-saved and resized copies differ by 0 to 4; different pictures by 20+.
NEAR_BITS = 4


# A hash looks at 32 x 32 values; scaling a large picture down to them twice is four times faster.
SMALL_PX = 256


def small_grey(image: Image.Image) -> Image.Image:
    """Return a picture in grey, no side longer than ``SMALL_PX``."""
    grey = image.convert("L")
    size = (min(grey.width, SMALL_PX), min(grey.height, SMALL_PX))
    return grey.resize(size, Image.Resampling.BOX)


def perceptual_hash(grey: Image.Image) -> str:
    """Return the pHash of a small grey picture as 16 hexadecimal digits."""
    # Imported here: it brings scipy along.
    import imagehash

    return str(imagehash.phash(grey))


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
