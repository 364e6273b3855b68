"""Texts for messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_NAMES = 10


def near_names(word: str, known: Iterable[str], most: int) -> list[str]:
    """Return the names that are spelt like a word, the nearest first, whatever their case."""
    by_small = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_small, n=most, cutoff=0.6)
    return [by_small[name] for name in near]


def suggestion(word: str, known: tuple[str, ...]) -> str:
    """Return "Did you mean ...?" for a near name, otherwise the known ones, the first of many."""
    near = near_names(word, known, most=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    more = f" and {len(known) - MOST_NAMES} more" if len(known) > MOST_NAMES else ""
    return f"Known are: {', '.join(known[:MOST_NAMES])}{more}."


def neutral(text: str) -> str:
    """Return text that cannot steer a terminal, whatever a file name contains."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "replace").decode("ascii")
        for c in text
    )
