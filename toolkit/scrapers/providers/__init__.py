"""The archives and services, by the names of --provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from toolkit.scrapers.providers.api import Service
from toolkit.scrapers.providers.bing import Bing
from toolkit.scrapers.providers.brave import Brave
from toolkit.scrapers.providers.csv_list import CsvList
from toolkit.scrapers.providers.openverse import Openverse
from toolkit.scrapers.providers.wikimedia import Wikimedia


@dataclass(frozen=True)
class Entry:
    """A provider and what it needs before the first request.

    Attributes:
        adapter: Its class.
        base_url: Where its service is; None = gone, or one's own.
        key_name: The variable in .env that holds its key.
        needs_key: Whether it refuses requests without one.
        needs_contact: Whether its rules ask for a contact in the user agent.
    """

    adapter: type[Service]
    base_url: str | None
    key_name: str
    needs_key: bool = True
    needs_contact: bool = False


PROVIDERS: Mapping[str, Entry] = {
    "openverse": Entry(
        Openverse, "https://api.openverse.org/v1", "OPENVERSE_TOKEN", needs_key=False
    ),
    "wikimedia": Entry(
        Wikimedia, "https://commons.wikimedia.org", "WIKIMEDIA_TOKEN", False, needs_contact=True
    ),
    "bing": Entry(Bing, None, "API_KEY"),
    "brave": Entry(Brave, "https://api.search.brave.com", "API_KEY"),
}


# A list of one's own is no service, and needs nothing.
NAMES = (*PROVIDERS, CsvList.name)
