"""Strangers' words in a table of markdown."""

from __future__ import annotations

import re

from toolkit.core.text import neutral

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
LONGEST = 300


def cell(text: str) -> str:
    """Return text for a cell of a table: one line, not too long, no markup."""
    line = " ".join(neutral(text).split())
    line = line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
    return _SPECIAL.sub(lambda found: f"&#{ord(found[1])};", line)
