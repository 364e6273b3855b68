"""Who finds the words for a caption; template, trigger word and length come later."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from scrapers.captions.clean import clean
from scrapers.captions.compose import describe
from scrapers.hits import ImageHit


class Captioner(Protocol):
    """Finds words for a picture."""

    name: str

    def words(self, hit: ImageHit, picture: Path) -> str:
        """Return the words; ``picture`` is the downloaded file."""
        ...


class MetadataCaptioner:
    """Title, description and tags; the query when they say nothing."""

    name = "metadata"

    def __init__(self, query: str) -> None:
        self._query = query

    def words(self, hit: ImageHit, picture: Path) -> str:
        """Return the best words of the archive."""
        return describe(hit, self._query)


class QueryCaptioner:
    """The query for every picture, as the project's first document had it."""

    name = "query"

    def __init__(self, query: str) -> None:
        self._words = clean(query) or query.strip()
        print(
            "note: every caption will be the query. What the pictures share besides it "
            "(backgrounds, framing, colours) is then learnt as part of those words; --caption "
            "metadata says what differs.",
            file=sys.stderr,
        )

    def words(self, hit: ImageHit, picture: Path) -> str:
        """Return the query."""
        return self._words


WRITERS: Mapping[str, Callable[[str], Captioner]] = {
    "metadata": MetadataCaptioner,
    "query": QueryCaptioner,
}
