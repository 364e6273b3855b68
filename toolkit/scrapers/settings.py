"""The options of the command line, checked all at once."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.scrapers import licences
from toolkit.scrapers.captions.compose import CaptionRules
from toolkit.scrapers.captions.writers import SOURCES, Captioner, make_captioner
from toolkit.scrapers.download import DownloadRules
from toolkit.scrapers.errors import WrongOptions
from toolkit.scrapers.hits import Search
from toolkit.scrapers.keys import read_settings
from toolkit.scrapers.pictures.look import PictureRules
from toolkit.scrapers.pictures.nsfw import NsfwFilter, no_filter
from toolkit.scrapers.providers import NAMES
from toolkit.scrapers.providers.csv_list import CsvList
from toolkit.scrapers.providers.wikimedia import Wikimedia
from toolkit.scrapers.web.client import Client, WebRules

# With a version, so that an archive can complain about a certain one.
PRODUCT = "sd-lora-finetuning/0.1"


@dataclass(frozen=True)
class Settings:
    """Everything a collection needs to know.

    Attributes:
        search: What to look for.
        out: The folder to fill.
        base_url: Where the provider's service is; None = its usual address.
        retry_dropped: Whether to try addresses again that were dropped for good.
        environment: Keys and contact, from .env and the environment.
        web: How requests are made.
        downloads: Limits of one download.
        pictures: What a training picture has to be.
        captions: How captions are written.
        captioner: Who finds the words for them.
        check_content: Raises ``Dropped`` for a picture that is not safe for work.
    """

    search: Search
    out: Path
    base_url: str | None
    retry_dropped: bool
    environment: Mapping[str, str]
    web: WebRules
    downloads: DownloadRules
    pictures: PictureRules
    captions: CaptionRules
    captioner: Captioner
    check_content: Callable[[Path], None]

    def client(self) -> Client:
        """Return a client that says who it is."""
        contact = self.environment.get("CONTACT", "")
        name = f"{PRODUCT} ({contact})" if contact else PRODUCT
        return Client(self.web, user_agent=name)


def settings_from(options: argparse.Namespace, folder: Path = Path()) -> Settings:
    """Return the settings for a command line.

    Args:
        options: What ``parse_options`` returned.
        folder: Where ``.env`` is looked for.

    Raises:
        WrongOptions: Options are wrong; the message names all of them.
    """
    faults = _faults(options)
    # Whoever wrote a list has chosen its pictures already.
    welcome: tuple[str, ...] = (
        licences.CODES if options.provider == CsvList.name else licences.DEFAULT
    )
    try:
        if options.licences is not None:
            welcome = licences.parse_list(options.licences)
    except ValueError as error:
        faults.append(f"--licences: {error}")
    captions = CaptionRules()
    try:
        captions = CaptionRules(template=options.template, trigger=options.trigger)
    except ValueError as error:
        faults.append(f"--template: {error}")
    if faults:
        raise WrongOptions("Wrong options:\n  - " + "\n  - ".join(faults), fix="See --help.")
    return Settings(
        search=Search(options.provider, options.query.strip(), welcome, options.mature),
        out=options.out,
        base_url=options.base_url,
        retry_dropped=options.retry_dropped,
        environment=read_settings(folder),
        web=WebRules(
            private_hosts=frozenset(name.lower() for name in options.allow_private_addresses),
            requests_per_second=options.requests_per_second,
            connections_per_host=options.connections_per_host,
            timeout_s=options.timeout,
            deadline_s=options.deadline,
            retries=options.retries,
            backoff_s=options.backoff,
        ),
        downloads=DownloadRules(
            max_bytes=int(options.max_megabytes * 1_000_000), workers=options.workers
        ),
        pictures=PictureRules(
            min_side=options.min_side,
            max_aspect=options.max_aspect,
            min_entropy=options.min_entropy,
        ),
        captions=captions,
        captioner=make_captioner(options.caption, options.query, options.caption_model),
        check_content=no_filter if options.max_nsfw is None else NsfwFilter(options.max_nsfw).check,
    )


# Option, smallest value, whether that value itself is allowed.
_BOUNDS = (
    ("count", 1, True),
    ("min_images", 0, True),
    ("min_side", 8, True),
    ("max_aspect", 1, True),
    ("min_entropy", 0, True),
    ("requests_per_second", 0, True),
    ("connections_per_host", 1, True),
    ("workers", 1, True),
    ("max_megabytes", 0, False),
    ("timeout", 0, False),
    ("deadline", 0, False),
    ("retries", 0, True),
    ("backoff", 0, True),
)


def _faults(options: argparse.Namespace) -> list[str]:
    faults = []
    if not options.query.strip():
        faults.append("query: it is empty.")
    if options.provider not in NAMES:
        faults.append(f"--provider: {options.provider} is not one of {', '.join(NAMES)}.")
    if options.caption not in SOURCES:
        faults.append(f"--caption: {options.caption} is not one of {', '.join(SOURCES)}.")
    if options.max_nsfw is not None and not 0 <= options.max_nsfw <= 1:
        faults.append(f"--max-nsfw: {options.max_nsfw} is not between 0 and 1.")
    for name, least, inclusive in _BOUNDS:
        value = getattr(options, name)
        if not math.isfinite(value) or value < least or (value == least and not inclusive):
            word = "at least" if inclusive else "more than"
            faults.append(f"--{name.replace('_', '-')}: {value} is not {word} {least}.")
    return faults + [f"{what}." for what, idle in _idle(options).items() if idle]


def _idle(options: argparse.Namespace) -> dict[str, bool]:
    """Return what would give typed options an effect, and whether it is missing."""
    typed, provider, listed = options.typed, options.provider, options.provider == CsvList.name
    return {
        f"--mature: {provider} has no filter to switch off": (
            options.mature and provider in (CsvList.name, Wikimedia.name)
        ),
        "--base-url: a list is a file, not a service": listed and options.base_url is not None,
        "--backoff: there are no --retries to wait for": (
            "backoff" in typed and options.retries == 0
        ),
        f"--connections-per-host: {options.connections_per_host} are more than all "
        f"{options.workers} --workers": (
            "connections_per_host" in typed and options.connections_per_host > options.workers
        ),
        f"--min-images: {options.min_images} are never reached with a --count of {options.count}": (
            options.min_images > options.count
        ),
    }
