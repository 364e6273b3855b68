"""Make the provider that a search asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.scrapers.errors import ScrapeError
from toolkit.scrapers.keys import Secret
from toolkit.scrapers.providers import PROVIDERS
from toolkit.scrapers.providers.api import Api, Service
from toolkit.scrapers.providers.csv_list import CsvList
from toolkit.scrapers.web.client import Client, host_key

if TYPE_CHECKING:
    from toolkit.scrapers.settings import Settings


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


def make(settings: Settings, client: Client, base_url: str) -> Service | CsvList:
    """Return the provider of the settings, paced as its public service wants it."""
    if settings.search.provider == CsvList.name:
        return CsvList(settings.web.private_hosts)
    entry = PROVIDERS[settings.search.provider]
    key = Secret(settings.environment.get(entry.key_name, ""))
    # A service of one's own is asked as fast as --requests-per-second says.
    if base_url == entry.base_url:
        client.pace.slow_down(host_key(base_url), entry.adapter.requests_per_second)
    return entry.adapter(Api(client, base_url, key=key, key_name=entry.key_name))
