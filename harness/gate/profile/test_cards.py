"""Pictures on which every way that a picture can go shows as a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from harness.gate.sample_folders import exif_turn, grey16, save, turned

SIDE = 64  # of the items asked for, in pixels
WIDTH, HEIGHT = 192, 128  # of the card with the ramps
GREYS = (0, 36, 73, 109, 146, 182, 219, 255)  # bars of eight pixels in an item
SWATCHES = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "brown": (150, 90, 40)}
PERIODS = {"coarse": 32, "fine": 12}  # of gratings in a card that is made four times smaller

# File name -> colour name; sorted otherwise by case, by number and by extension.
ROW: dict[str, tuple[str, tuple[int, int, int]]] = {
    "b10.png": ("red", (255, 0, 0)),
    "b2.png": ("green", (0, 255, 0)),
    "a.webp": ("blue", (0, 0, 255)),
    "Z.jpg": ("yellow", (255, 255, 0)),
    "c.PNG": ("purple", (255, 0, 255)),
    "e.jpeg": ("white", (255, 255, 255)),
    "y.JPG": ("black", (0, 0, 0)),
}
TEXTS: dict[str, str | bytes] = {
    "with commas": "a card, on a table, in the sun",
    "of several lines": "a card\non a table\n\nin the sun\n",
    "with capital letters": "A Card by SKS",
    "with words that come twice": "a card beside a card",
    "with a byte order mark": b"\xef\xbb\xbfa card",
    "beyond ASCII": "une carte d\u2019\u00e9t\u00e9",
    "with spaces around": "  a card \n",
    "with marks": "a (card:1.2), a_card - <sks> #1",
    "of ninety words": " ".join(f"word{i}" for i in range(90)),
}


def ramp(*, across: bool) -> Image.Image:
    """Return a wide grey card whose tone tells the column, or the row."""
    x = np.linspace(0, 255, WIDTH)[None, :].repeat(HEIGHT, 0)
    y = np.linspace(0, 255, HEIGHT)[:, None].repeat(WIDTH, 1)
    return Image.fromarray((x if across else y).round().astype(np.uint8)).convert("RGB")


def bars(colours: list[tuple[int, int, int]]) -> Image.Image:
    """Return a square card of upright bars."""
    width = 4 * SIDE
    card = np.zeros((width, width, 3), np.uint8)
    for i, colour in enumerate(colours):
        card[:, i * width // len(colours) : (i + 1) * width // len(colours)] = colour
    return Image.fromarray(card)


def grating(period: int) -> Image.Image:
    """Return a square card of grey waves, four times as large as an item."""
    x = np.arange(4 * SIDE)
    wave = 127.5 + 100 * np.sin(2 * np.pi * x / period)
    card = np.broadcast_to(wave.round().astype(np.uint8)[None, :, None], (4 * SIDE, 4 * SIDE, 3))
    return Image.fromarray(np.ascontiguousarray(card))


def smooth() -> Image.Image:
    """Return a square card of all 256 greys, side by side."""
    x = np.arange(4 * SIDE).astype(np.uint8)
    card = np.broadcast_to(x[None, :, None], (4 * SIDE, 4 * SIDE, 3))
    return Image.fromarray(np.ascontiguousarray(card))


def see_through() -> Image.Image:
    """Return a card that is see-through, with dark red underneath."""
    return Image.new("RGBA", (SIDE, SIDE), (90, 0, 0, 0))


def cards() -> dict[str, tuple[Image.Image, str, dict[str, object]]]:
    """Return each card by name, with its file's ending and options for Pillow's ``save``."""
    return {
        "across": (ramp(across=True), "png", {}),
        "down": (ramp(across=False), "png", {}),
        "greys": (bars([(g, g, g) for g in GREYS]), "png", {}),
        "swatches": (bars(list(SWATCHES.values())), "png", {}),
        **{name: (grating(period), "png", {}) for name, period in PERIODS.items()},
        "smooth": (smooth(), "png", {}),
        "see_through": (see_through(), "png", {}),
        "turned": (turned(), "jpg", exif_turn()),
        "sixteen_bits": (grey16(), "png", {}),
    }


def write_card(folder: Path, name: str) -> None:
    """Write one card; it is alone in its folder, so that no caption has to tell which it is."""
    card, ending, options = cards()[name]
    save(folder, f"card.{ending}", card, "a card", **options)


def write_row(folder: Path) -> None:
    """Write plain pictures whose captions name their colour."""
    for name, (colour, rgb) in ROW.items():
        save(folder, name, Image.new("RGB", (80, 80), rgb), f"a {colour} card")


def write_texts(folder: Path) -> None:
    """Write one picture for each odd caption."""
    for i, text in enumerate(TEXTS.values()):
        save(folder, f"t{i:02}.png", Image.new("RGB", (SIDE, SIDE), (i * 20,) * 3), text)
