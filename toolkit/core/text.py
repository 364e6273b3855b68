"""Texts for messages."""

from __future__ import annotations

import difflib


def suggestion(word: str, known: tuple[str, ...]) -> str:
    """Return "Did you mean ...?" for a near name, otherwise the list of known ones."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known are: {', '.join(known)}."


def neutral(text: str) -> str:
    """Return text that cannot steer a terminal, whatever a file name contains."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "replace").decode("ascii")
        for c in text
    )
