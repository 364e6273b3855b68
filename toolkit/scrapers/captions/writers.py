"""The sources of a caption's words; template, trigger word and length come later."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from toolkit.scrapers.captions.clean import clean
from toolkit.scrapers.captions.compose import describe
from toolkit.scrapers.errors import WrongOptions
from toolkit.scrapers.hits import ImageHit

# What --caption takes, and what it means.
SOURCES: Mapping[str, str] = {
    "metadata": "title, description and tags",
    "query": "the same for all",
    "blip": "a BLIP model looks at the picture; --caption-model",
    "wd14": "a WD14 tagger looks at the picture; --caption-model",
}
QUERY_NOTE = (
    "note: every caption will be the query. What the pictures share besides it (backgrounds, "
    "framing, colours) is then learnt as part of those words; --caption metadata says what differs."
)


class Captioner(Protocol):
    """Finds words for a picture."""

    # Written into sources.jsonl: which model, with a hash of its weights.
    @property
    def name(self) -> str:
        """What found the words."""
        ...

    def words(self, hit: ImageHit, picture: Path) -> str:
        """Return the words; ``picture`` is the downloaded file."""
        ...


class MetadataCaptioner:
    """Title, description and tags; the query when they say nothing."""

    name = "metadata"

    def __init__(self, query: str) -> None:
        self._query = query

    def words(self, hit: ImageHit, picture: Path) -> str:
        """Return what a person wrote, or the best words of the archive."""
        return hit.caption or describe(hit, self._query)


class QueryCaptioner:
    """The query for every picture, as the project's first document had it."""

    name = "query"

    def __init__(self, query: str) -> None:
        self._words = clean(query) or query.strip()

    def words(self, hit: ImageHit, picture: Path) -> str:
        """Return the query."""
        return self._words


def make_captioner(source: str, query: str, model: Path | None) -> Captioner:
    """Return the captioner for an option.

    Args:
        source: One of ``SOURCES``.
        query: For ``query``, and for pictures that nothing is known about.
        model: The folder of a model, which is never downloaded.

    Raises:
        WrongOptions: The model is missing, incomplete, or not asked for.
    """
    if source in ("blip", "wd14"):
        if model is None:
            raise WrongOptions(
                f"--caption {source} needs the model's folder.",
                fix="Download it once yourself (docs/scraping.md says from where), then give its "
                "folder as --caption-model; nothing is fetched silently.",
            )
        if source == "wd14":
            from toolkit.scrapers.captions.wd14 import Wd14Captioner

            return Wd14Captioner(model)
        from toolkit.scrapers.captions.blip import BlipCaptioner

        return BlipCaptioner(model)
    if model is not None:
        raise WrongOptions(f"--caption {source} uses no model.", fix="Leave --caption-model out.")
    if source == "query":
        print(QUERY_NOTE, file=sys.stderr)
        return QueryCaptioner(query)
    return MetadataCaptioner(query)
