"""Query a search interface for JSON; each failure becomes one clear sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from toolkit.scrapers.errors import Dropped, ScrapeError
from toolkit.scrapers.hits import ImageHit, Search
from toolkit.scrapers.keys import Secret
from toolkit.scrapers.web.client import Client, Response

# A page of 150 results is about 300 kB.
CAP_BYTES = 10_000_000


class Api:
    """A provider's way to its service.

    Args:
        client: Makes the requests.
        base_url: The service's address, without a slash at the end.
        key: Sent by the provider in the header that its service wants; never printed.
        key_name: What the key is called in .env, for messages.
    """

    def __init__(self, client: Client, base_url: str, *, key: Secret, key_name: str) -> None:
        self._client = client
        self.base_url = base_url.rstrip("/")
        self.key = key
        self._key_name = key_name

    def get(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the object that a GET request answers.

        Raises:
            ScrapeError: No answer, a refusal, or something that is not a JSON object.
        """
        url = self.base_url + path
        # No redirects: they would carry the key to wherever the answer points.
        try:
            with self._client.open(
                url, params=params, headers=headers, follow_redirects=False
            ) as response:
                body = b"".join(response.chunks(CAP_BYTES))
        except Dropped as fault:
            raise ScrapeError(
                f"The search service cannot be asked: {fault}.",
                where=url,
                fix=_FIXES.get(fault.reason),
            ) from fault
        if response.status != 200:
            raise self._refused(url, response, body)
        return self._parsed(url, response, body)

    def _refused(self, url: str, response: Response, body: bytes) -> ScrapeError:
        answer = self._quote(body)
        status = response.status
        if status in (401, 403) and self.key:
            what = f"The search service refuses the key ({status})."
            fix = f"Check {self._key_name} in .env: it may be wrong, expired, or used up."
        elif status == 401:
            what = "The search service wants a key (401)."
            fix = f"Put {self._key_name} into .env, see docs/scraping.md."
        elif status == 403:
            what = "The search service refuses this machine (403)."
            fix = (
                "Archives block the networks of hosting providers and VPNs. Try from another "
                "network, or another --provider; trying again from here will not help."
            )
        elif status == 429:
            wait = response.headers.get("Retry-After")
            what = "The search service has had enough of requests for now (429)."
            fix = f"Come back {_in_words(wait)}; what was collected so far is kept."
        elif 300 <= status < 400:
            target = urlsplit(response.headers.get("Location", "")).hostname
            what = f"The search service has moved ({status}, to {target})."
            fix = "Give its new address with --base-url."
        elif status >= 500:
            what = f"The search service is out of order ({status}), after several tries."
            fix = "Come back later; what was collected so far is kept."
        else:
            what = f"The search service refuses the request ({status})."
            fix = None
        return ScrapeError(f"{what}{answer}", where=url, fix=fix)

    def _parsed(self, url: str, response: Response, body: bytes) -> dict[str, Any]:
        if not body.strip():
            # What Bing did to those it took for attackers. It is not "nothing found".
            what = "The search service answers with nothing at all."
        else:
            try:
                answer = json.loads(body)
            except (ValueError, RecursionError):
                kind = response.headers.get("Content-Type", "no content type")
                what = f"The search service answers with something else than JSON ({kind})."
                if body.lstrip()[:1] == b"<":
                    what += " It is a web page: often a login or a block."
            else:
                if isinstance(answer, dict):
                    return answer
                what = "The search service answers with JSON of another shape."
        raise ScrapeError(what, where=url, fix="Look at --base-url; try another --provider.")

    def _quote(self, body: bytes) -> str:
        """Return what the service said in its error, short and without the key."""
        text = " ".join(body[:2000].decode("utf-8", "replace").split())
        if not text or text.startswith("<"):
            return ""
        return f" It says: {self.key.removed_from(text)[:300]}"


class Service:
    """An adapter of 50 lines: build the request, walk the pages, translate each result."""

    name: ClassVar[str]
    # What its rules or its throttle allow without asking for more.
    requests_per_second: ClassVar[float] = 1.0
    # Whether a result says its licence; if not, only people who accept "unknown" can use it.
    knows_licences: ClassVar[bool]

    def __init__(self, api: Api) -> None:
        self.api = api

    def search(self, search: Search) -> Iterator[ImageHit]:
        """Yield results in their order until there are no more; pages on demand."""
        raise NotImplementedError


_FIXES = {
    "private address": "For a service of your own, say --allow-private-addresses HOST.",
    "not https": "Use https; for a service of your own, say --allow-private-addresses HOST.",
    "unusual port": "For a service of your own, say --allow-private-addresses HOST.",
    "host not found": "Look at the network and at --base-url.",
    "connection failed": "Look at the network and at --base-url.",
    "too slow": "Try again later.",
}


def _in_words(retry_after: str | None) -> str:
    if retry_after is None:
        return "later"
    return f"in {retry_after} s" if retry_after.strip().isdigit() else f"after {retry_after}"


def text(record: Mapping[str, Any], *path: str) -> str:
    """Return the string at a path of keys, or "": archives leave fields out and send null."""
    value: Any = record
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""


def number(record: Mapping[str, Any], *path: str) -> int:
    """Return the whole number at a path of keys, or 0."""
    value: Any = record
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def records(answer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the objects in the list called ``name``; anything else in it is left out."""
    value = answer.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
