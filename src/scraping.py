"""Collect pictures and captions from the web: a query in, a training set out.

    python -m src.scraping "red panda" --count 50 --out Dataset

Search an archive, download what is free to use, keep what is large enough and no duplicate, write a
caption beside each picture. Each of these steps is a module of ``toolkit/scrapers/``, in the order
of ``toolkit/scrapers/collect.py``; docs/scraping.md is the tutorial.
"""

from __future__ import annotations

if not __package__:
    raise SystemExit("Run from the repository root: python -m src.scraping")

from collections.abc import Sequence
from pathlib import Path

from toolkit.scrapers import cli

# What is collected, and where to, when the command line names nothing else.
QUERY = "red panda"
OUT = Path("Dataset")


def main(argv: Sequence[str] | None = None) -> int:
    """Collect; return 0, or 1 after a failure or too few pictures, 2 for a wrong option, 130."""
    return cli.main(QUERY, OUT, argv)


if __name__ == "__main__":
    raise SystemExit(main())
