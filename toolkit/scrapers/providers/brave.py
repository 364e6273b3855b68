"""Brave's image search: one request of up to 200 results, no paging, no licences.

https://api.search.brave.com/res/v1/. The plan decides what may be done with results: read it.
"""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.scrapers.hits import ImageHit, Search
from toolkit.scrapers.providers.api import Service, number, records, text


class Brave(Service):
    """Adapter for Brave."""

    name = "brave"
    knows_licences = False

    def search(self, search: Search) -> Iterator[ImageHit]:
        """Yield the results of the one page there is."""
        answer = self.api.get(
            "/res/v1/images/search",
            {
                "q": search.text,
                "count": "200",
                "safesearch": "off" if search.mature else "strict",
                "spellcheck": "0",
            },
            {"X-Subscription-Token": self.api.key.reveal(), "Accept": "application/json"},
        )
        for record in records(answer, "results"):
            yield ImageHit(
                url=text(record, "properties", "url"),
                provider=self.name,
                page_url=text(record, "url"),
                title=text(record, "title"),
                width=number(record, "properties", "width"),
                height=number(record, "properties", "height"),
            )
