"""Options that several commands share."""

from __future__ import annotations

import argparse


def add_mix_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--with``."""
    parser.add_argument(
        "--with",
        dest="taken",
        action="append",
        default=[],
        metavar="HOOK=NAME",
        help="take this hook from another contribution; may be repeated (docs/mixing.md)",
    )
