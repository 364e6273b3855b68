"""Wikimedia Commons: 100 million free files, each with its author and licence.

https://commons.wikimedia.org/w/api.php. No key, but a user agent with a contact is obligatory,
and so is patience: one request after the other, Retry-After, `maxlag`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.scrapers.errors import ScrapeError
from toolkit.scrapers.hits import ImageHit, Search
from toolkit.scrapers.licences import code
from toolkit.scrapers.providers.api import Service, number, records, text

# Thumbnails exist at a few widths only; others are answered with 429. This one is enough for
# training at 512 px even when the shorter side is half of it.
THUMBNAIL_PX = 1280
PAGE_SIZE = 50
_METADATA = "Artist|LicenseShortName|LicenseUrl|ImageDescription|ObjectName|Categories"


class Wikimedia(Service):
    """Adapter for Wikimedia Commons."""

    name = "wikimedia"
    knows_licences = True

    def search(self, search: Search) -> Iterator[ImageHit]:
        """Yield results page by page; each page names the next in its ``continue`` block."""
        following: dict[str, str] = {}
        while True:
            answer = self.api.get("/w/api.php", {**_request(search), **following})
            if "error" in answer:
                raise ScrapeError(
                    f"Wikimedia Commons refuses the search: {text(answer, 'error', 'info')[:300]}",
                    where=self.api.base_url,
                    fix="Try again later when it says 'lag'; otherwise look at the query.",
                )
            query = answer.get("query")
            pages = records(query, "pages") if isinstance(query, dict) else []
            # The pages come by number; "index" is the order of the search.
            for page in sorted(pages, key=lambda page: number(page, "index")):
                for picture in records(page, "imageinfo"):
                    yield _hit(text(page, "title"), picture)
            following_block = answer.get("continue")
            if not isinstance(following_block, dict):
                return
            before = following
            following = {str(name): str(value) for name, value in following_block.items()}
            if following == before:
                return


def _request(search: Search) -> dict[str, str]:
    return {
        "action": "query",
        "format": "json",
        "formatversion": "2",
        "generator": "search",
        "gsrnamespace": "6",
        "gsrsearch": f"{search.text} filetype:bitmap",
        "gsrlimit": str(PAGE_SIZE),
        "prop": "imageinfo",
        "iiprop": "url|size|mime|extmetadata",
        "iiurlwidth": str(THUMBNAIL_PX),
        "iiextmetadatafilter": _METADATA,
        "iiextmetadatalanguage": "en",
        "maxlag": "5",
    }


def _hit(title: str, picture: Mapping[str, Any]) -> ImageHit:
    def field(name: str) -> str:
        return plain_text(text(picture, "extmetadata", name, "value"))

    return ImageHit(
        # The thumbnail: polite, and large enough. Small pictures have none but themselves.
        url=text(picture, "thumburl") or text(picture, "url"),
        provider=Wikimedia.name,
        page_url=text(picture, "descriptionurl"),
        title=field("ObjectName") or title,
        description=field("ImageDescription"),
        tags=tuple(filter(None, (part.strip() for part in field("Categories").split("|")))),
        license=code(field("LicenseShortName")),
        license_url=field("LicenseUrl"),
        creator=field("Artist"),
        width=number(picture, "width"),
        height=number(picture, "height"),
    )


def plain_text(markup: str) -> str:
    """Return HTML as a line of text: the metadata of Commons is written by wiki templates."""
    without = re.sub(r"(?is)<(style|script)\b.*?</\1>", " ", markup)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", without)).split())
