"""Plain colours that name themselves: who belongs to whom can be read off picture and caption."""

from __future__ import annotations

# Corners of the colour cube, so that a picture is known by the signs of three numbers. Seven and
# not eight: a loop that forgets an incomplete last batch of four forgets some of them.
COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (-1, -1, -1),
    "red": (1, -1, -1),
    "green": (-1, 1, -1),
    "blue": (-1, -1, 1),
    "yellow": (1, 1, -1),
    "purple": (1, -1, 1),
    "white": (1, 1, 1),
}
CAPTIONS = tuple(f"a {name} square, on a {name} background" for name in COLOURS)
