"""From a downloaded file to a training picture, or the reason why not.

The order is the point: first bytes, then the header's size, only then the pixels. A file of a few
kilobytes can claim gigapixels, and decoding it would take the machine's memory.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from toolkit.images.headers import declared_size, kind_of
from toolkit.images.normalise import SUFFIXES, encoded, plain_rgb
from toolkit.scrapers.errors import Dropped
from toolkit.scrapers.pictures.hashing import perceptual_hash, small_grey

# Enough for every format's signature, and for the size in a WEBP header.
HEAD_BYTES = 32


@dataclass(frozen=True)
class PictureRules:
    """What a training picture has to be.

    Attributes:
        min_side: Of the shorter side, in pixels.
        max_aspect: Longer side / shorter side.
        max_pixels: By the header; nothing larger is decoded.
        min_entropy: Of the grey values, in bits: 0 is one colour, a photograph has 6 to 8.
    """

    min_side: int = 512
    max_aspect: float = 2.0
    max_pixels: int = 50_000_000
    min_entropy: float = 1.0


@dataclass(frozen=True)
class Picture:
    """A picture that passed, still in its temporary file.

    Attributes:
        path: The temporary file, with the bytes to keep.
        suffix: Of its format.
        sha256: Of those bytes.
        download_sha256: Of the bytes as they came.
        phash: Perceptual hash, 16 hexadecimal digits.
        width: In pixels, upright.
        height: In pixels, upright.
        size_bytes: Of the file to keep.
    """

    path: Path
    suffix: str
    sha256: str
    download_sha256: str
    phash: str
    width: int
    height: int
    size_bytes: int


def examine(path: Path, download_sha256: str, rules: PictureRules) -> Picture:
    """Look at the file at ``path``; it may be rewritten there, upright and as plain RGB.

    Raises:
        Dropped: It is no picture, or not one to train on.
    """
    with path.open("rb") as file:
        kind = kind_of(file.read(HEAD_BYTES))
    if kind is None:
        raise Dropped("not a picture", "its first bytes are not of a PNG, JPEG or WEBP file")
    with warnings.catch_warnings():
        # Our own limit is lower than the one Pillow warns at.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = _decoded(path, kind, rules)
        upright = plain_rgb(image)
    grey = small_grey(upright)
    if grey.entropy() < rules.min_entropy:
        raise Dropped("blank", "hardly more than one colour")
    if upright is not image:
        data, kind = encoded(upright, kind)
        path.write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
    else:
        sha256 = download_sha256
    return Picture(
        path=path,
        suffix=SUFFIXES[kind],
        sha256=sha256,
        download_sha256=download_sha256,
        phash=perceptual_hash(grey),
        width=upright.width,
        height=upright.height,
        size_bytes=path.stat().st_size,
    )


def _decoded(path: Path, kind: str, rules: PictureRules) -> Image.Image:
    with path.open("rb") as file:
        # Pillow allocates a WEBP's whole canvas on opening: its size has to be known before.
        width, height = declared_size(kind, file.read(HEAD_BYTES))
    check_pixels(width, height, rules)
    try:
        with Image.open(path, formats=[kind]) as image:
            check_pixels(*image.size, rules)
            check_size(*image.size, rules)
            if getattr(image, "is_animated", False):
                raise Dropped("animated")
            image.load()
            return image
    except Image.DecompressionBombError as error:
        raise Dropped("too many pixels", str(error)) from error
    except Dropped:
        raise
    except Exception as error:
        # Pillow's decoders raise whatever they like (OSError, SyntaxError, struct.error, ...).
        raise Dropped("damaged", f"{type(error).__name__}: {error}"[:160]) from error


def check_pixels(width: int, height: int, rules: PictureRules) -> None:
    """Refuse what would take too much memory to decode.

    Raises:
        Dropped: It has more pixels than the rules allow.
    """
    if width * height > rules.max_pixels:
        raise Dropped("too many pixels", f"{width} x {height}")


def check_size(width: int, height: int, rules: PictureRules) -> None:
    """Refuse what is too small or too thin to train on.

    Raises:
        Dropped: One of the two.
    """
    if min(width, height) < rules.min_side:
        what = f"{width} x {height}, the shorter side under {rules.min_side}"
        raise Dropped("too small", what)
    if max(width, height) > rules.max_aspect * min(width, height):
        raise Dropped("too long and thin", f"{width} x {height}")
