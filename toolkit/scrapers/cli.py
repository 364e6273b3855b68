"""The command line of ``python -m src.scraping``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from toolkit.core.idle import typed_names
from toolkit.core.parser import Parser


def main(query: str, out: Path, argv: Sequence[str] | None = None) -> int:
    """Run ``collect`` with the options of the command line.

    Args:
        query: What to search for by default.
        out: The folder to fill by default.
        argv: The words of the command line; None takes the program's own.

    Returns:
        0; 1 when something failed or there are too few pictures; 2 for a wrong option; 130 after
        Ctrl-C.
    """
    options = parse_options(query, out, argv)
    # After --help and misspelt options, because these take a moment.
    from toolkit.core.command_line import exit_code

    from .collect import collect
    from .settings import settings_from
    from .tally import Tally

    tally = Tally(options.count)

    def command() -> int:
        collect(settings_from(options), tally)
        return 0 if tally.have >= options.min_images else 1

    code = exit_code(
        command, stopped="stopped; the same command goes on from here", faults=(OSError,)
    )
    print(tally.report(options.out))
    return code


def parse_options(query: str, out: Path, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line, and in ``typed`` which of them were typed.

    With options the query is typed too: were it forgotten, the program's own would fill the
    folder with something else. Without any words the program does what its file says.

    Args:
        query: What to search for by default.
        out: The folder to fill by default.
        argv: The words of the command line; None takes the program's own.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser(out)
    options = parser.parse_args(words)
    if words and "query" not in options:
        parser.error(f'say what to look for, such as "{query}"')
    options.query = getattr(options, "query", query)
    options.typed = typed_names(build_parser(out), words)
    return options


def build_parser(out: Path) -> Parser:
    """Return the parser; ``out`` is the folder to fill by default."""
    parser = Parser(
        prog="python -m src.scraping",
        description="Collect pictures and captions from the web. Keys and contact: file .env.",
        epilog="docs/scraping.md leads from a query to a picture drawn by your model.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("query", nargs="?", default=argparse.SUPPRESS, help="what to look for")
    add("--out", type=Path, default=out, help="folder to fill; one that is there is added to")
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
    return parser


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
