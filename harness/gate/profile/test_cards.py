"""Pictures on which every way that a picture can go shows as a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from harness.gate.profile.card_contents import (
    CORNERS,
    DIM,
    GREYS,
    HEIGHT,
    PERIODS,
    ROW,
    SIDE,
    SWATCHES,
    TEXTS,
    WIDTH,
)
from harness.gate.sample_folders import exif_turn, grey16, save, turned


def ramp(*, across: bool) -> Image.Image:
    """Return a wide grey card whose tone tells the column, or the row."""
    x = np.linspace(0, 255, WIDTH)[None, :].repeat(HEIGHT, 0)
    y = np.linspace(0, 255, HEIGHT)[:, None].repeat(WIDTH, 1)
    return Image.fromarray((x if across else y).round().astype(np.uint8)).convert("RGB")


def upright() -> Image.Image:
    """Return a tall grey card whose tone tells the row."""
    return ramp(across=True).transpose(Image.Transpose.ROTATE_270)


def plain(colour: tuple[int, int, int]) -> Image.Image:
    """Return a square card of one colour."""
    return Image.new("RGB", (SIDE, SIDE), colour)


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


def dim() -> Image.Image:
    """Return a square card of two greys, neither black nor white."""
    first, second = DIM.values()
    card = plain((first,) * 3)
    card.paste((second,) * 3, (SIDE // 2, 0, SIDE, SIDE))
    return card


def everything() -> Image.Image:
    """Return a square card without a flat place: each channel rises another way, with waves."""
    x, y = np.meshgrid(np.linspace(0, 1, 4 * SIDE), np.linspace(0, 1, 4 * SIDE))
    waves = 20 * np.sin(12 * np.pi * x) * np.cos(8 * np.pi * y)
    channels = [40 + 170 * x, 220 - 180 * y, 60 + 120 * x * y]
    card = np.stack([channel + waves for channel in channels], axis=-1)
    return Image.fromarray(card.round().clip(0, 255).astype(np.uint8))


def see_through(alpha: int = 0) -> Image.Image:
    """Return a card that is see-through, or half so, with dark red underneath."""
    return Image.new("RGBA", (SIDE, SIDE), (90, 0, 0, alpha))


def cards() -> dict[str, tuple[Image.Image, str, dict[str, object]]]:
    """Return each card by name, with its file's ending and options for Pillow's ``save``."""
    return {
        "across": (ramp(across=True), "png", {}),
        "down": (ramp(across=False), "png", {}),
        "upright": (upright(), "png", {}),
        **{name: (plain((grey, grey, grey)), "png", {}) for name, grey in GREYS.items()},
        **{name: (plain(rgb), "png", {}) for name, rgb in SWATCHES.items()},
        **{name: (grating(period), "png", {}) for name, period in PERIODS.items()},
        "palette": (grating(PERIODS["fine"]).convert("L").convert("P"), "png", {}),
        "small": (grating(PERIODS["fine"]).crop((0, 0, SIDE // 2, SIDE // 2)), "png", {}),
        "smooth": (smooth(), "png", {}),
        "dim": (dim(), "png", {}),
        "everything": (everything(), "png", {}),
        "see_through": (see_through(), "png", {}),
        "half_clear": (see_through(alpha=128), "png", {}),
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
    for i, (text, corner) in enumerate(zip(TEXTS.values(), CORNERS, strict=True)):
        save(folder, f"t{i:02}.png", plain(corner), text)
