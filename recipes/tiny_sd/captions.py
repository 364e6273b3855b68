"""Captions: the sentences the base model learns, built from the tables of `vocabulary`."""

from __future__ import annotations

import random
from collections.abc import Iterator

from .vocabulary import BACKGROUNDS, MEDIA, STYLES, spoken, taught_concepts, with_article


def caption(
    name: str,
    background: str,
    style: str | None = None,
    size_word: str | None = None,
    ink: str | None = None,
) -> str:
    """Write the main sentence, the form that prompts should use.

    Args:
        name: Icon name, ``"red-apple"``.
        background: Key of `BACKGROUNDS`.
        style: Key of `STYLES`, or None to leave the style open.
        size_word: ``"small"``, ``"large"`` or None.
        ink: Colour that the thing is drawn in, or None for its own colours.

    Returns:
        For example ``"a red apple, noto style, on a blue background"``.
    """
    subject = _subject(name, size_word, ink)
    if style is None:
        return f"{subject} on {with_article(background)} background"
    return f"{subject}, {style} style, on {with_article(background)} background"


def _subject(name: str, size_word: str | None, ink: str | None) -> str:
    """Name the thing with what is said of it, ``"a small green cat"``."""
    return with_article(" ".join(word for word in (size_word, ink, spoken(name)) if word))


def sample_caption(
    name: str,
    background: str,
    style: str,
    size_word: str | None,
    rng: random.Random,
    ink: str | None = None,
) -> str:
    """Draw one of the ways to say the same picture, so that no single word order is needed.

    Args:
        name: Icon name.
        background: Key of `BACKGROUNDS`.
        style: Key of `STYLES`.
        size_word: ``"small"``, ``"large"`` or None.
        rng: Source of the draw.
        ink: Colour that the thing is drawn in, or None for its own colours.

    Returns:
        A caption; about 5 % leave the background open, about 30 % leave the style open.
    """
    subject = _subject(name, size_word, ink)
    place = f"on {with_article(background)} background"
    draw = rng.random()
    if draw < 0.45:
        return f"{subject}, {style} style, {place}"
    if draw < 0.58:
        return f"{subject} {place}, {style} style"
    if draw < 0.78:
        return f"{subject} {place}"
    if draw < 0.88:
        return f"{rng.choice(MEDIA)} {subject} {place}"
    if draw < 0.95:
        return f"{background} background, {subject}, {style} style"
    return f"{subject}, {style} style"


def tokenizer_texts(extra_names: tuple[str, ...]) -> Iterator[str]:
    """Yield the text the BPE merges are learned from.

    Taught words come often, so that each becomes one token; every other icon name comes once, so
    that unknown words break into usual syllables instead of bytes.

    Args:
        extra_names: Further icon names of the corpus.
    """
    for name in taught_concepts():
        for background in BACKGROUNDS:
            for style in STYLES:
                yield caption(name, background, style, "small")
                yield caption(name, background, None, "large")
                yield f"{MEDIA[0]} {MEDIA[1]} {MEDIA[2]}"
    yield from (spoken(name) for name in extra_names)
