"""What is on the test cards: numbers and words, without numpy, for the catalogue."""

from __future__ import annotations

SIDE = 64  # of the items asked for, in pixels
LARGER = 72  # the same, the second time; no multiple of 16
WIDTH, HEIGHT = 192, 128  # of the card with the ramps
# Plain cards: what becomes of a tone does not hang on which part of a picture is shown.
GREYS = {"black": 0, "dark grey": 73, "middle grey": 146, "white": 255}
SWATCHES = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "brown": (150, 90, 40)}
DIM = {"shadow of a dim picture": 64, "light of a dim picture": 192}  # its halves
PARTS = 4  # rows and columns into which the picture with everything is divided
PERIODS = {"coarse": 32, "fine": 12}  # of gratings in a card that is made four times smaller

# File name -> colour name; sorted otherwise by case, by number, by dots and by extension.
ROW: dict[str, tuple[str, tuple[int, int, int]]] = {
    "b10.png": ("red", (255, 0, 0)),
    "b2.png": ("green", (0, 255, 0)),
    "a.webp": ("blue", (0, 0, 255)),
    "Z.jpg": ("yellow", (255, 255, 0)),
    "c.PNG": ("purple", (255, 0, 255)),
    "dot.in.name.jpeg": ("white", (255, 255, 255)),
    "y.JPG": ("black", (0, 0, 0)),
}
TEXTS: dict[str, str | bytes] = {
    "with commas": "a card, on a table, in the sun",
    "of several lines": "  a card\non a table\n\nin the sun \n",
    "with capital letters": "A Card by SKS",
    "with words that come twice": "a card beside a card",
    "with a byte order mark": b"\xef\xbb\xbfa card",
    "beyond ASCII": "une carte d\u2019\u00e9t\u00e9",
    "with marks": "a (card:1.2), a_card - <sks> #1",
    "of ninety words": " ".join(f"word{i}" for i in range(90)),
}

# Pictures as people have them; odd_pictures.py makes one of each.
ODD = (
    "with junk files of a desktop beside it",
    "with an ending in capitals",
    "with the ending .JPEG",
    "with spaces and letters beyond ASCII in its name",
    "with a palette",
    "with a see-through palette",
    "of grey pixels",
    "of black and white bits",
    "with an alpha channel",
    "of grey pixels with an alpha channel",
    "with a see-through colour",
    "turned by its camera",
    "mirrored by its camera",
    "turned and mirrored by its camera",
    "in CMYK",
    "of a single pixel",
    "of a very wide shape",
)

# The plain picture of each text: the corners of the cube of colours, in the order of the texts.
CORNERS = tuple((r, g, b) for r in (0, 255) for g in (0, 255) for b in (0, 255))


def part_name(row: int, column: int) -> str:
    """Name one part of the picture with everything."""
    return f"row {row + 1}, column {column + 1}"
