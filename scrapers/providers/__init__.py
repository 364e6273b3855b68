"""The archives and services that can be asked, by the name that --provider takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scrapers.errors import ScrapeError
from scrapers.keys import Secret
from scrapers.providers.api import Api
from scrapers.providers.base import Provider, Service
from scrapers.providers.bing import Bing
from scrapers.providers.brave import Brave
from scrapers.providers.csv_list import CsvList
from scrapers.providers.openverse import Openverse
from scrapers.providers.wikimedia import Wikimedia
from scrapers.web.client import Client, host_key

if TYPE_CHECKING:
    from scrapers.settings import Settings


@dataclass(frozen=True)
class Entry:
    """A provider and what it needs before the first request.

    Attributes:
        adapter: Its class.
        base_url: Where its service is; None = gone, or one's own.
        key_name: The variable in .env that holds its key.
        needs_key: Whether it answers nobody without one.
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


def check_needs(settings: Settings) -> str:
    """Return the service's address; say everything that is missing before any request is made.

    Raises:
        ScrapeError: An address, key, contact or consent is missing.
    """
    name, environment = settings.search.provider, settings.environment
    if name == CsvList.name:
        return ""
    entry = PROVIDERS[name]
    address = settings.base_url or environment.get(f"{name.upper()}_BASE_URL") or entry.base_url
    missing = []
    if address is None:
        missing.append(
            "Microsoft retired the Bing Image Search API on 2025-08-11 (and its terms forbade "
            "training on results): use --provider openverse, or give --base-url the address of a "
            "compatible service."
        )
    if entry.needs_key and not environment.get(entry.key_name):
        missing.append(f'{name} wants a key: put {entry.key_name}="..." into the file .env.')
    if entry.needs_contact and not environment.get("CONTACT"):
        missing.append(
            f'{name} wants to know whom to write to: put CONTACT="you@example.org" (mail or web '
            "page) into the file .env; it becomes a part of the user agent."
        )
    if not entry.adapter.knows_licences and "unknown" not in settings.search.licences:
        missing.append(
            f"{name} does not say under which licence a picture is: add 'unknown' to --licences "
            "and look at each source page yourself, or use --provider openverse."
        )
    if missing or address is None:
        raise ScrapeError(
            "Nothing was asked yet; first:\n  - " + "\n  - ".join(missing),
            fix="See .env and the providers in docs/scraping.md.",
        )
    return address


def make(settings: Settings, client: Client, base_url: str) -> Provider:
    """Return the provider of the settings, paced as its public service wants it."""
    if settings.search.provider == CsvList.name:
        return CsvList(settings.web.private_hosts)
    entry = PROVIDERS[settings.search.provider]
    key = Secret(settings.environment.get(entry.key_name, ""))
    # A service of one's own is asked as fast as --requests-per-second says.
    if base_url == entry.base_url:
        client.pace.slow_down(host_key(base_url), entry.adapter.requests_per_second)
    return entry.adapter(Api(client, base_url, key=key, key_name=entry.key_name))
