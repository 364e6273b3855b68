"""Bing Image Search v7, as the project's first document used it.

Microsoft retired the service on 2025-08-11, and its terms had forbidden training on the results.
The adapter is kept for people who run, or pay for, a service of the same shape: give its address
with --base-url (or BING_BASE_URL in .env) and its key as API_KEY.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.scrapers.hits import ImageHit, Search
from toolkit.scrapers.licences import code
from toolkit.scrapers.providers.api import Service, number, records, text

PAGE_SIZE = 150


class Bing(Service):
    """Adapter for services of Bing's shape."""

    name = "bing"
    requests_per_second = 3.0
    knows_licences = False

    def search(self, search: Search) -> Iterator[ImageHit]:
        """Yield results page by page; pages overlap, so the service itself names the next."""
        offset = 0
        while True:
            answer = self.api.get(
                "/v7.0/images/search",
                {
                    "q": search.text,
                    "count": str(PAGE_SIZE),
                    "offset": str(offset),
                    "safeSearch": "Off" if search.mature else "Strict",
                },
                {"Ocp-Apim-Subscription-Key": self.api.key.reveal()},
            )
            found = records(answer, "value")
            for record in found:
                yield _hit(record)
            following = number(answer, "nextOffset")
            if not found or following <= offset:
                return
            offset = following


def _hit(record: Mapping[str, Any]) -> ImageHit:
    return ImageHit(
        url=text(record, "contentUrl"),
        provider=Bing.name,
        page_url=text(record, "hostPageUrl"),
        title=text(record, "name"),
        license=code(text(record, "creativeCommons")),
        width=number(record, "width"),
        height=number(record, "height"),
    )
