"""Collect pictures and captions from the web: a query in, a training set out.

    python -m src.scraping "red panda" --count 50 --out Dataset

The way of one collection is the body of `collect` below. What each step has to cope with on the
open web is in the package `scrapers`; docs/scraping.md is the tutorial.
"""

from __future__ import annotations

if not __package__:
    raise SystemExit("Run from the repository root: python -m src.scraping")

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.scrapers.ask import check_needs, make

if TYPE_CHECKING:
    from toolkit.scrapers.settings import Settings
    from toolkit.scrapers.tally import Tally

# What is collected when the command line names nothing else.
QUERY = "red panda"
OUT = Path("Dataset")


def parse_options(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m src.scraping",
        description="Collect pictures and captions from the web. Keys and contact: file .env.",
        epilog="docs/scraping.md leads from a query to a picture drawn by your model.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("query", nargs="?", default=QUERY, help="what to look for")
    add("--out", type=Path, default=OUT, help="folder to fill; one that is there is added to")
    add("--count", type=int, default=50, help="pictures of this query to have in the end")
    add("--min-images", type=int, default=1, help="fewer than this is a failure (exit code 1)")

    group = parser.add_argument_group("where from")
    add = group.add_argument
    add("--provider", default="openverse", help="openverse, wikimedia, bing, brave, csv")
    add("--base-url", help="address of a service of the provider's shape; left out = its own")
    add(
        "--licences",
        help="welcome ones; left out = cc0,pdm,by (there are by-sa, by-nc, unknown...)",
    )
    add("--retry-dropped", action="store_true", help="look again at what was not taken before")
    add("--mature", action="store_true", help="do not ask the provider for safe results only")

    group = parser.add_argument_group("which pictures")
    add = group.add_argument
    add("--min-side", type=int, default=512, help="of the shorter side, in pixels")
    add("--max-aspect", type=float, default=2.0, help="longer side / shorter side")
    add("--min-entropy", type=float, default=1.0, help="in bits; 0 takes blank pictures too")

    add("--max-nsfw", type=float, help="0 to 1: drop what is more likely not safe for work")

    group = parser.add_argument_group("captions")
    add = group.add_argument
    add(
        "--caption",
        default="metadata",
        help="metadata (title, description, tags), query, blip, wd14",
    )
    add("--caption-model", type=Path, help="folder of a BLIP or WD14 model; never downloaded")
    add("--template", default="{text}", help="such as 'a photo of {trigger}, {text}'")
    add("--trigger", default="", help="a rare word that stands for the subject, such as sks")

    add_limits(parser.add_argument_group("politeness and limits"))
    return parser.parse_args(argv)


def add_limits(group: argparse._ArgumentGroup) -> None:
    """Add the options about how hosts are asked."""
    add = group.add_argument
    add("--requests-per-second", type=float, default=4.0, help="for each host; 0 = no limit")
    add("--connections-per-host", type=int, default=2, help="at the same time")
    add("--workers", type=int, default=8, help="downloads at the same time, over all hosts")
    add("--max-megabytes", type=float, default=20.0, help="of one file")
    add("--timeout", type=float, default=20.0, help="seconds to connect, and for each read")
    add("--deadline", type=float, default=60.0, help="seconds for one download altogether")
    add("--retries", type=int, default=3, help="after 429, 5xx or a broken connection")
    add("--backoff", type=float, default=1.0, help="seconds before a retry; doubles each time")
    add(
        "--allow-private-addresses",
        metavar="HOST",
        action="append",
        default=[],
        help="DANGEROUS with strangers' results: fetch from this host of your own network, without "
        "https; may be repeated",
    )


def collect(settings: Settings, tally: Tally) -> None:
    """Search, download, caption and file pictures until there are enough.

    Raises:
        ScrapeError: A key is missing, the service refuses, the folder is damaged.
    """
    from toolkit.scrapers.captions.compose import compose
    from toolkit.scrapers.download import Downloader
    from toolkit.scrapers.errors import Dropped
    from toolkit.scrapers.folder import opened
    from toolkit.scrapers.hits import ImageHit, worth_a_download

    base_url = check_needs(settings)  # says what is missing before the first request
    with (
        settings.client() as client,
        opened(settings.out, settings.search) as folder,
        Downloader(client, folder.parts, settings.downloads, settings.pictures) as downloader,
        tally.counting(folder.count),
    ):

        def drop(hit: ImageHit, reason: Dropped) -> None:
            folder.drop(hit, reason)
            tally.dropped[reason.reason] += 1

        def new_hits() -> Iterator[ImageHit]:
            provider = make(settings, client, base_url)
            for hit in provider.search(settings.search):
                if folder.is_known(hit.url, retry_dropped=settings.retry_dropped):
                    continue
                try:
                    worth_a_download(hit, settings.search, settings.pictures)
                except Dropped as reason:
                    drop(hit, reason)
                else:
                    yield hit

        for hit, result in downloader.each(new_hits(), tally.missing):
            try:
                picture = result()
                folder.check_new(picture)
                settings.check_content(picture.path)
                words = settings.captioner.words(hit, picture.path)
            except Dropped as reason:
                drop(hit, reason)
            else:
                caption = compose(words, settings.captions)
                folder.keep(hit, picture, caption, settings.captioner.name)
                tally.take()


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``collect`` from the command line.

    Returns:
        0; 1 when something failed or there are too few pictures; 2 for a wrong option; 130 after
        Ctrl-C.
    """
    options = parse_options(argv)
    # After --help and misspelt options, because these take a moment.
    from toolkit.scrapers.errors import ScrapeError
    from toolkit.scrapers.settings import settings_from
    from toolkit.scrapers.tally import Tally

    tally = Tally(options.count)
    try:
        collect(settings_from(options), tally)
    except ScrapeError as error:
        code = error.exit_code
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        code = 1
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        code = 130
        print("\nstopped; the same command goes on from here", file=sys.stderr)
    else:
        code = 0 if tally.have >= options.min_images else 1
    print(tally.report(options.out))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
