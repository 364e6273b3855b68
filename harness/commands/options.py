"""Options that several commands share."""

from __future__ import annotations

import argparse

MOST_JOBS = 1024


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


def add_board_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `contribution` understands besides a name."""
    add = parser.add_argument
    add("--all", action="store_true", help="run all: reference, controls, contributions")
    add(
        "--only",
        type=names,
        default=(),
        metavar="A,B,...",
        help="with --all: these only, and the reference they are compared with",
    )
    add(
        "--jobs",
        type=jobs,
        metavar="N",
        help="with --all: trainings, gates and scorings at once (default: one per core)",
    )


def names(text: str) -> tuple[str, ...]:
    """Read names with commas between."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def jobs(text: str) -> int:
    """Read a number of processes; argparse reports the ValueError."""
    if not 1 <= int(text) <= MOST_JOBS:
        raise ValueError
    return int(text)
