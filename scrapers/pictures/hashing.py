"""Recognise a picture that is there already: the same file, or the same picture in another size."""

from __future__ import annotations

from PIL import Image

# Of the 64 bits of a hash. Re-saved and resized copies differ by 0 to 4; different pictures by 20+.
NEAR_BITS = 4


def perceptual_hash(image: Image.Image) -> str:
    """Return the picture's pHash as 16 hexadecimal digits."""
    # Imported here: it brings scipy along.
    import imagehash

    return str(imagehash.phash(image))


def distance(first: str, second: str) -> int:
    """Return in how many of their 64 bits two hashes differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


class Seen:
    """The pictures that are kept, to find duplicates of them."""

    def __init__(self) -> None:
        self._exact: dict[str, str] = {}
        self._near: dict[str, str] = {}

    def add(self, name: str, sha256: str, phash: str) -> None:
        """Remember a kept picture."""
        self._exact[sha256] = name
        self._near[phash] = name

    def exact(self, sha256: str) -> str | None:
        """Return the name of the picture with the same bytes, or None."""
        return self._exact.get(sha256)

    def near(self, phash: str) -> str | None:
        """Return the name of a picture that looks the same, or None."""
        # A linear search: ten thousand hashes take a millisecond.
        for other, name in self._near.items():
            if distance(phash, other) <= NEAR_BITS:
                return name
        return None
