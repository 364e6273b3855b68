"""``preview NAME``: a contribution's newest row in its place on the board, without running it."""

from __future__ import annotations

import argparse
import statistics

from rich.console import Console
from rich.table import Table

from harness.contributions import registry
from harness.protocol import row_files
from harness.protocol.order import places
from harness.protocol.track import DEFAULT_TRACK, load_track
from harness.runs.folders import PAGE_FILE, newest_row
from harness.runs.page import times
from toolkit.core.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("name", metavar="NAME", help="a contribution, or `reference`")
    add("--track", default=DEFAULT_TRACK, help="the track (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Print the board with this row in it.

    Raises:
        UsageError: It has no finished run.
    """
    console, track = Console(highlight=False), load_track(args.track)
    contribution = registry.load(args.name)
    newest = newest_row(track.file.name, contribution.name)
    if newest is None or newest[0].verdict is None:
        raise UsageError(
            f"{contribution.name} has no finished run on the track {track.file.name}.",
            fix=f"nox -s contribution -- {contribution.name} --track {track.file.name}",
        )
    row, folder = newest
    others = [
        other
        for other in row_files.recorded_rows(row.track)
        if other.protocol_hash == row.protocol_hash and other.contribution != row.contribution
    ]
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("group", "tier", "contribution", "gain", "drift", "time", "bytes", "seeds"):
        table.add_column(heading, justify="left" if heading == "contribution" else "right")
    for place in places([*others, row]):
        shown, mine = place.row, place.row is row
        gain = statistics.fmean(score.gain for score in shown.scores)
        drift = statistics.fmean(score.own.drift for score in shown.scores)
        table.add_row(
            str(place.group),
            str(place.tier),
            f"[bold]{shown.contribution} (this run)[/]" if mine else shown.contribution,
            f"{gain:.1%}",
            f"{drift:.3f}",
            times(shown),
            f"{shown.adapter_bytes or 0:,}",
            str(len(shown.scores)),
        )
    console.print(table)
    console.print("No row of a group is clearly below another (docs/protocol.md).", style="dim")
    for name, why in row_files.outdated_rows(row.track, row.protocol_hash).items():
        console.print(f"not shown: {name}, {why}", style="yellow")
    console.print(f"Page: {folder / PAGE_FILE}", soft_wrap=True)
    return 0
