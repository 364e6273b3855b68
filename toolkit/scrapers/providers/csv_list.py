"""Your own list: a CSV file with the columns ``url`` and ``caption``.

Further columns that are read: license, license_url, creator, page_url. The file takes the place of
the query: ``python -m src.scraping list.csv --provider csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from toolkit.scrapers.errors import Dropped, ScrapeError
from toolkit.scrapers.hits import ImageHit, Search
from toolkit.scrapers.licences import CODES, code
from toolkit.scrapers.web.client import check_url

MOST_SHOWN = 20


class CsvList:
    """The lines of a file as search results.

    Args:
        private_hosts: Hosts that may be inside one's own network.
    """

    name: ClassVar[str] = "csv"

    def __init__(self, private_hosts: frozenset[str]) -> None:
        self._private_hosts = private_hosts

    def search(self, search: Search) -> Iterator[ImageHit]:
        """Return all hits of the file named by the query.

        Raises:
            ScrapeError: The file cannot be read, or lines of it are wrong; all are named.
        """
        path = Path(search.text)
        hits, faults = [], []
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file, strict=True)
                missing = {"url", "caption"} - set(rows.fieldnames or ())
                if missing:
                    raise _wrong(path, [f"{path}:1: no column {' or '.join(sorted(missing))}"])
                for row in rows:
                    place = f"{path}:{rows.line_num}"
                    try:
                        hits.append(self._hit(row))
                    except ValueError as error:
                        faults.append(f"{place}: {error}")
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise _wrong(path, [f"{path}: {error}"]) from error
        if faults:
            raise _wrong(path, faults)
        return iter(hits)

    def _hit(self, row: dict[str | None, str | None]) -> ImageHit:
        def field(name: str) -> str:
            return (row.get(name) or "").strip()

        try:
            check_url(field("url"), self._private_hosts)
        except Dropped as reason:
            raise ValueError(str(reason)) from None
        if not field("caption"):
            raise ValueError("no caption")
        licence = field("license").lower()
        return ImageHit(
            url=field("url"),
            provider=self.name,
            page_url=field("page_url"),
            caption=field("caption"),
            license=licence if licence in CODES else code(licence),
            license_url=field("license_url"),
            creator=field("creator"),
        )


def _wrong(path: Path, faults: list[str]) -> ScrapeError:
    shown = faults[:MOST_SHOWN]
    if len(faults) > MOST_SHOWN:
        shown.append(f"... and {len(faults) - MOST_SHOWN} more")
    return ScrapeError(
        "This list cannot be used; nothing was downloaded:\n  - " + "\n  - ".join(shown),
        where=str(path),
        fix="It is a CSV with a head line: url,caption and, if known, license,creator,page_url.",
    )
