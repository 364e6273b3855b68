"""``collect DIR...``: merge rows that other machines have stored into this board."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import paths
from harness.runs.many.store import collect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="folder that a shard wrote with --out"
    )


def run(args: argparse.Namespace) -> int:
    """Merge the rows and report on each; return 0 if none was refused."""
    merged = collect(args.folders, paths.RESULTS)
    for label in merged.taken:
        print(f"{label}: taken")
    for file, why in merged.refused.items():
        print(f"refused {file}: {why}")
    print(
        f"{len(merged.taken)} rows taken, {len(merged.known)} known already, "
        f"{len(merged.refused)} refused."
    )
    if merged.taken:
        print("Next: nox -s leaderboard")
    return 1 if merged.refused else 0
