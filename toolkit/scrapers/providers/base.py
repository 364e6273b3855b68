"""What a provider is: one archive or search engine, asked through its documented interface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol

from toolkit.scrapers.hits import ImageHit, Search
from toolkit.scrapers.providers.api import Api


class Provider(Protocol):
    """Where results come from."""

    name: ClassVar[str]

    def search(self, search: Search) -> Iterator[ImageHit]:
        """Yield results in their order until there are no more; pages on demand."""
        ...


class Service(Provider, Protocol):
    """An adapter of 50 lines: build the request, walk the pages, translate each result."""

    # What its rules or its throttle allow without asking for more.
    requests_per_second: ClassVar[float]
    # Whether a result says its licence; if not, only people who accept "unknown" can use it.
    knows_licences: ClassVar[bool]

    def __init__(self, api: Api) -> None: ...
