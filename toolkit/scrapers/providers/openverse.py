"""Openverse: 800 million openly licensed pictures, each with its licence and author.

https://api.openverse.org/v1/. Without a token: 20 requests a minute and 200 a day. Whatever the
token, a query shows its first 240 works; its terms forbid copying the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.scrapers.hits import ImageHit, Search
from toolkit.scrapers.licences import CODES
from toolkit.scrapers.providers.api import Service, number, records, text

# More than 20 without a token is answered with 401.
PAGE_SIZE = 20
LONGEST_QUERY = 200


class Openverse(Service):
    """Adapter for Openverse."""

    name = "openverse"
    # Bursts are allowed up to 20 a minute, and a run needs at most 12 pages.
    requests_per_second = 1.0
    knows_licences = True

    def search(self, search: Search) -> Iterator[ImageHit]:
        """Yield results page by page."""
        licences = [code for code in search.licences if code != "unknown"]
        headers = {"Accept": "application/json"}
        if self.api.key:
            headers["Authorization"] = f"Bearer {self.api.key.reveal()}"
        page = 1
        while True:
            answer = self.api.get(
                "/images/",
                {
                    "q": search.text[:LONGEST_QUERY],
                    "license": ",".join(licences),
                    "mature": str(search.mature).lower(),
                    "filter_dead": "true",
                    "page": str(page),
                    "page_size": str(PAGE_SIZE),
                },
                headers,
            )
            found = records(answer, "results")
            for record in found:
                yield _hit(record)
            # A page without results ends it too: page_count is an estimate.
            if not found or page >= number(answer, "page_count"):
                return
            page += 1


def _hit(record: Mapping[str, Any]) -> ImageHit:
    licence = text(record, "license").lower()
    return ImageHit(
        url=text(record, "url"),
        provider=Openverse.name,
        page_url=text(record, "foreign_landing_url"),
        title=text(record, "title"),
        tags=tuple(filter(None, (text(tag, "name") for tag in records(record, "tags")))),
        license=licence if licence in CODES else "unknown",
        license_url=text(record, "license_url"),
        creator=text(record, "creator"),
        creator_url=text(record, "creator_url"),
        attribution=text(record, "attribution"),
        width=number(record, "width"),
        height=number(record, "height"),
    )
