"""Folders of pictures on which a make_dataset shows what it does: plain ones, and odd ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

# Eight colours that stay apart after any resizing; their names stand in the captions. The file
# names sort differently as text, as numbers, by case and by extension.
PAIRS: dict[str, tuple[str, tuple[int, int, int]]] = {
    "b10.png": ("red", (255, 0, 0)),
    "b2.png": ("green", (0, 255, 0)),
    "a.webp": ("blue", (0, 0, 255)),
    "Z.jpg": ("yellow", (255, 255, 0)),
    "c.PNG": ("purple", (255, 0, 255)),
    "dot.in.name.png": ("cyan", (0, 255, 255)),
    "e.jpeg": ("white", (255, 255, 255)),
    "y.png": ("black", (0, 0, 0)),
}
SIDE = 64


def write_pairs(folder: Path) -> Path:
    """Write plain pictures with captions that name their colour."""
    for name, (colour, rgb) in PAIRS.items():
        image = Image.new("RGB", (96, 80), rgb)
        save(folder, name, image, f"a {colour} card")
    return folder


def save(
    folder: Path, name: str, image: Image.Image, caption: str | bytes, **options: object
) -> None:
    """Write one picture and its caption."""
    for part in ("Images", "ImageCaptions"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    kind = {"jpg": "JPEG", "jpeg": "JPEG"}.get(name.rpartition(".")[2].lower())
    image.save(
        folder / "Images" / name,
        kind or name.rpartition(".")[2].upper(),
        **{**({"quality": 95} if kind else {}), **options},
    )
    data = caption if isinstance(caption, bytes) else caption.encode()
    (folder / "ImageCaptions" / f"{name.rpartition('.')[0]}.txt").write_bytes(data)


def circle(width: int, height: int) -> Image.Image:
    """Return a white disc of a quarter of the height's radius on black, with a red top edge."""
    image = Image.new("RGB", (width, height), "black")
    pen = ImageDraw.Draw(image)
    x, y, r = width // 2, height // 2, height // 4
    pen.ellipse((x - r, y - r, x + r, y + r), fill="white")
    pen.rectangle((0, 0, width, height // 10), fill="red")
    return image


def grey16() -> Image.Image:
    """Return a 16-bit grey picture of half the brightness."""
    return Image.fromarray(np.full((80, 80), 32768, dtype=np.uint16))


def turned() -> Image.Image:
    """Return a picture whose upper half is red once the turn in its EXIF tag is applied."""
    image = Image.new("RGB", (80, 80), (255, 0, 0))
    image.paste((0, 0, 255), (0, 40, 80, 80))
    return image.transpose(Image.Transpose.ROTATE_90)  # as a camera stores it: tag 6 turns it back


def palette() -> Image.Image:
    """Return a green picture with a palette."""
    return Image.new("RGB", (80, 80), (0, 255, 0)).quantize(16)


def cut_off() -> Image.Image:
    """Return a picture whose transparent pixels are red underneath, and whose rest is green."""
    image = Image.new("RGBA", (80, 80), (0, 255, 0, 255))
    image.paste((255, 0, 0, 0), (0, 0, 80, 40))
    return image


def exif_turn() -> dict[str, object]:
    """Return the option that writes "turn me by 90 degrees clockwise" into a JPEG."""
    tags = Image.Exif()
    tags[0x0112] = 6
    return {"exif": tags}


@dataclass(frozen=True)
class Odd:
    """One odd picture, and what a right make_dataset makes of it.

    Args:
        title: What is odd about it.
        make: Returns the picture.
        name: Its file name.
        caption: Its caption, as bytes when that is what is odd.
        wanted: Right caption.
        top, bottom: Mean colour of the upper and the lower half, -1 to 1; None if anything goes.
        options: For Pillow's ``save``.
    """

    title: str
    make: Callable[[], Image.Image]
    name: str = "one.png"
    caption: str | bytes = "a card"
    wanted: str = "a card"
    top: tuple[float, float, float] | None = None
    bottom: tuple[float, float, float] | None = None
    options: Callable[[], dict[str, object]] = dict

    def write(self, folder: Path) -> None:
        """Write the picture, with junk beside it as desktops leave it."""
        save(folder, self.name, self.make(), self.caption, **self.options())
        for junk in (".DS_Store", "Thumbs.db", f"._{self.name}", "notes.txt"):
            (folder / "Images" / junk).write_bytes(b"\0junk")


def plain() -> Image.Image:
    """Return a green picture."""
    return Image.new("RGB", (80, 80), (0, 255, 0))


GREEN, RED, WHITE = (-1.0, 1.0, -1.0), (1.0, -1.0, -1.0), (1.0, 1.0, 1.0)

ODDITIES: tuple[Odd, ...] = (
    Odd("junk files of a desktop beside it", plain, top=GREEN),
    Odd("an upper-case extension", plain, "ONE.PNG", top=GREEN),
    Odd("spaces and letters beyond ASCII in its name", plain, "mon été 1.png", top=GREEN),
    Odd("a caption with a byte-order mark", plain, caption=b"\xef\xbb\xbfa card"),
    Odd("a caption with Windows line ends", plain, caption=b"a card\r\n"),
    Odd("letters beyond ASCII in its caption", plain, caption="un été", wanted="un été"),
    Odd("a palette", palette, top=GREEN),
    Odd("grey pixels", lambda: Image.new("L", (80, 80), 255), top=WHITE),
    Odd("an alpha channel", cut_off, bottom=GREEN),
    Odd(
        "a camera's turn in its EXIF tag",
        turned,
        "one.jpg",
        top=RED,
        options=exif_turn,
    ),
    Odd("CMYK", lambda: plain().convert("CMYK"), "one.jpg", top=GREEN),
    Odd("a single pixel", lambda: Image.new("RGB", (1, 1), (0, 255, 0)), top=GREEN),
    Odd("a very wide shape", lambda: Image.new("RGB", (900, 60), (0, 255, 0)), top=GREEN),
)
