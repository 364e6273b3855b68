"""Pictures as people have them, each alone in a folder: odd files, and what is seen in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from harness.gate.sample_folders import exif_turn, save, turned

SIDE = 80
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
JUNK = (".DS_Store", "Thumbs.db", "notes.txt")  # what desktops leave beside pictures


def plain(mode: str = "RGB") -> Image.Image:
    """Return a green picture."""
    return Image.new("RGB", (SIDE, SIDE), GREEN).convert(mode)


def halves(upper: tuple[int, ...], lower: tuple[int, ...], mode: str) -> Image.Image:
    """Return a picture of two colours, one above the other."""
    image = Image.new(mode, (SIDE, SIDE), upper)
    image.paste(lower, (0, SIDE // 2, SIDE, SIDE))
    return image


def mirrored() -> Image.Image:
    """Return red above blue as a camera held upside down stores it: tag 4 turns it back."""
    return halves(RED, BLUE, "RGB").transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def turned_and_mirrored() -> Image.Image:
    """Return red above blue, stored for tag 5."""
    return halves(RED, BLUE, "RGB").transpose(Image.Transpose.TRANSPOSE)


def see_through_palette() -> Image.Image:
    """Return a see-through red above green, both from a palette."""
    image = Image.new("P", (SIDE, SIDE), 0)
    image.putpalette([*RED, *GREEN])
    image.paste(1, (0, SIDE // 2, SIDE, SIDE))
    return image


@dataclass(frozen=True)
class Odd:
    """One odd picture.

    Args:
        title: What is odd about it.
        make: Returns the picture.
        name: Its file name.
        options: For Pillow's ``save``.
    """

    title: str
    make: Callable[[], Image.Image]
    name: str = "one.png"
    options: Callable[[], dict[str, object]] = dict

    def write(self, folder: Path) -> None:
        """Write the picture, with junk beside it as desktops leave it."""
        save(folder, self.name, self.make(), "a card", **self.options())
        for junk in (*JUNK, f"._{self.name}"):
            (folder / "Images" / junk).write_bytes(b"\0junk")


ODD_PICTURES: tuple[Odd, ...] = (
    Odd("with junk files of a desktop beside it", plain),
    Odd("with an ending in capitals", plain, "ONE.PNG"),
    Odd("with the ending .JPEG", plain, "one.JPEG"),
    Odd("with spaces and letters beyond ASCII in its name", plain, "mon été 1.png"),
    Odd("with a palette", lambda: plain().quantize(16)),
    Odd("with a see-through palette", see_through_palette, options=lambda: {"transparency": 0}),
    Odd("of grey pixels", lambda: Image.new("L", (SIDE, SIDE), 255)),
    Odd("of black and white bits", lambda: Image.new("1", (SIDE, SIDE), 1)),
    Odd("with an alpha channel", lambda: halves((*RED, 0), (*GREEN, 255), "RGBA")),
    Odd("of grey pixels with an alpha channel", lambda: halves((0, 0), (0, 255), "LA")),
    Odd("with a see-through colour", lambda: halves(RED, GREEN, "RGB"), options=lambda: CLEAR_RED),
    Odd("turned by its camera", turned, "one.jpg", exif_turn),
    Odd("mirrored by its camera", mirrored, "one.jpg", lambda: exif_turn(4)),
    Odd("turned and mirrored by its camera", turned_and_mirrored, "one.jpg", lambda: exif_turn(5)),
    Odd("in CMYK", lambda: plain("CMYK"), "one.jpg"),
    Odd("of a single pixel", lambda: Image.new("RGB", (1, 1), GREEN)),
    Odd("of a very wide shape", lambda: Image.new("RGB", (900, 60), GREEN)),
)
CLEAR_RED: dict[str, object] = {"transparency": RED}
