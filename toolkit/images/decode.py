"""Any picture file to upright 8-bit RGB, or a refusal that names the file.

A file is not trusted: its format is found by its content, its size is read from the header before
anything is decoded, and a picture that claims more pixels than fit is refused by that claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from toolkit.core.errors import DataSetError
from toolkit.images.colour import as_srgb, profile_fault
from toolkit.images.headers import declared_size

# Format of Pillow -> the endings of its files. A file is read as what it is, whatever its ending;
# only TGA has no mark of its own and would take anything for a picture.
ENDINGS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "AVIF": (".avif",),
    "JPEG2000": (".jp2", ".j2k", ".jpx"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "ICO": (".ico",),
    "TGA": (".tga",),
}
EXTENSIONS = tuple(ending for endings in ENDINGS.values() for ending in endings)
FORMATS = tuple(name for name in ENDINGS if name != "TGA")
# First bytes of the formats that files without an ending may have.
MAGIC = (
    *(b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  "),
    *(b"RIFF....WEBP", b"....ftypavif"),
)
# Pillow's own limit, rounded: from there on it warns. About 9,400 x 9,400, 270 MB once decoded.
MAX_PIXELS = 89_000_000
ORIENTATION = 0x0112
# Floats hold 0 to 1, and lights in them more; numbers up to 255 go well beyond this.
BRIGHTEST_LIGHT = 16.0
# EXIF orientations under which width and height change places.
LYING = (5, 6, 7, 8)


class Header(NamedTuple):
    """What a picture file says about itself before it is decoded."""

    format: str
    mode: str
    width: int  # in pixels, as it is shown: EXIF orientation applied
    height: int
    orientation: int  # EXIF, 1 (upright) to 8
    frames: int
    profile_fault: str = ""  # why its colour profile cannot be applied
    plain: bool = False  # 8-bit RGB or grey, and nothing to apply: all readers show it alike


def formats_of(path: Path) -> tuple[str, ...]:
    """Return the formats that a file is tried as."""
    return (*FORMATS, "TGA") if path.suffix.lower() in ENDINGS["TGA"] else FORMATS


def looks_like_picture(path: Path) -> bool:
    """Tell whether a file begins as a picture does, whatever its name."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return any(
        len(head) >= len(magic) and all(m in (b, 0x2E) for m, b in zip(magic, head, strict=False))
        for magic in MAGIC
    )


@contextmanager
def _opened(path: Path, max_pixels: int) -> Iterator[Image.Image]:
    """Open a picture and check its size; turn whatever Pillow raises into one error.

    Raises:
        DataSetError: See ``load_rgb``.
    """
    try:
        # Pillow allocates a WebP's whole canvas on opening, so its size has to be known before.
        with path.open("rb") as file:
            head = file.read(32)
        for kind, magic in (("PNG", b"\x89PNG"), ("WEBP", b"RIFF")):
            if head.startswith(magic):
                check_pixels(path, *declared_size(kind, head), max_pixels)
        with Image.open(path, formats=formats_of(path)) as image:
            check_pixels(path, *image.size, max_pixels)
            yield image
    except DataSetError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_large(path, "a huge number of pixels", max_pixels) from error
    except FileNotFoundError as error:
        raise DataSetError(
            f"{path.name} is not there.", where=str(path), fix="Check the name."
        ) from error
    # Pillow's decoders raise whatever they like: OSError, SyntaxError (PNG), ValueError,
    # struct.error, EOFError, MemoryError, ... For us it all means: this is not a whole picture.
    except Exception as error:
        reason = str(error)[:160] or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = "it is none of " + ", ".join(FORMATS)
        raise DataSetError(
            f"{path.name} cannot be read as a picture: {reason}.",
            where=str(path),
            fix="Open it in a picture editor and save it again as PNG or JPEG, or take it out.",
        ) from error


def check_pixels(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture by the size in its header.

    Raises:
        DataSetError: It claims more than ``max_pixels``.
    """
    if width * height > max_pixels:
        raise too_large(path, f"{width}x{height} pixels", max_pixels)


def too_large(path: Path, found: str, max_pixels: int) -> DataSetError:
    """Return the error for a picture with too many pixels."""
    return DataSetError(
        f"{path.name} cannot be read: it claims {found}, and {max_pixels:,} are allowed.",
        where=str(path),
        fix="Scale it down: training needs a few hundred pixels a side.",
    )


def read_header(path: Path, max_pixels: int = MAX_PIXELS) -> Header:
    """Return what a picture says about itself, without decoding it.

    Raises:
        DataSetError: It is no picture, or claims more than ``max_pixels``.
    """
    with _opened(path, max_pixels) as image:
        orientation = _orientation(image)
        width, height = image.size
        if orientation in LYING:
            width, height = height, width
        # What some phones call .jpg: the same shot twice, and one picture to everybody else.
        is_mpo = image.format == "MPO"
        kind = "JPEG" if is_mpo else str(image.format)
        frames = 1 if is_mpo else getattr(image, "n_frames", 1)
        mode = image.mode
        fault, plain = "", mode in ("RGB", "L") and not image.has_transparency_data
        if image.info.get("icc_profile"):
            dot = Image.new(mode, (1, 1))  # a profile is looked at without decoding the picture
            dot.info = dict(image.info)
            fault, plain = profile_fault(dot), plain and as_srgb(dot) is dot
        plain = plain and orientation == 1 and frames == 1
        return Header(kind, mode, width, height, orientation, frames, fault, plain)


def load_rgb(path: Path, max_pixels: int = MAX_PIXELS, enough_px: int = 0) -> Image.Image:
    """Return a picture the way a viewer shows it, as 8-bit RGB.

    Args:
        path: A picture of any mode: palette, grey, 16-bit, CMYK, with or without transparency. Of
            an animation the first frame is taken.
        max_pixels: Refuse pictures with more.
        enough_px: Let a JPEG be decoded at a half, quarter or eighth of its size as long as both
            sides keep this many pixels: to look at it, not to train on it. 0 for the whole size.

    Returns:
        The picture upright (cameras store the turn in an EXIF tag), transparency laid onto white.

    Raises:
        DataSetError: It cannot be decoded, or claims more than ``max_pixels``; names the file.
    """
    with _opened(path, max_pixels) as file:
        if enough_px:
            file.draft(None, (enough_px, enough_px))
        image = ImageOps.exif_transpose(file)
        image.load()
        return as_rgb(image)


def as_rgb(image: Image.Image) -> Image.Image:
    """Return a decoded picture as 8-bit RGB, transparency laid onto white."""
    image = as_srgb(image)
    if image.mode.startswith("I") or image.mode == "F":
        # convert("RGB") would cut everything above 255 to white.
        image = as_srgb(as_grey(image))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, "white")
        image.alpha_composite(layer)
    return image.convert("RGB")


def as_grey(image: Image.Image) -> Image.Image:
    """Return a picture of one deep channel (modes I;16, I and F) as 8-bit grey.

    Sixteen bits hold 0 to 65535. What 32 bits or floats hold no file says: it is taken for the
    smallest usual range that holds the brightest pixel.
    """
    values = np.array(image)  # (H, W)
    if image.mode == "I" and values.min(initial=0) < 0:
        values = values.view(np.uint32)  # Pillow reads unsigned numbers as signed ones
    finite = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    white = 65535.0
    if image.mode in ("I", "F"):
        brightest = float(finite.max(initial=0.0))
        ranges = [2.0**bits - 1 for bits in (8, 16, 31, 32)]
        white = next((top for top in ranges if brightest <= top), brightest)
        if image.mode == "F" and brightest <= BRIGHTEST_LIGHT:
            white = 1.0
    grey = Image.fromarray((finite / white * 255).clip(0, 255).round().astype(np.uint8))
    grey.info = dict(image.info)
    return grey


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(ORIENTATION, 1)
    return value if value in range(1, 9) else 1
