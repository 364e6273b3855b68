"""Colours for text on a terminal that shows them."""

from __future__ import annotations

import os
import sys
from typing import Literal

Style = Literal["red", "yellow", "green", "bold", "dim"]
_CODES: dict[Style, int] = {"red": 31, "yellow": 33, "green": 32, "bold": 1, "dim": 2}


def paint(text: str, style: Style, *, colour: bool) -> str:
    """Return the text in a style, or as it is without ``colour``."""
    return f"\033[{_CODES[style]}m{text}\033[0m" if colour else text


def wants_colour() -> bool:
    """Tell whether the terminal shows colours and NO_COLOR is not set (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
