"""``why-stale NAME``: what changed since a contribution was run, and since it was recorded."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol import row_files
from harness.protocol.track import DEFAULT_TRACK, Track, load_track
from harness.runs.folders import PARTS_FILE, newest_row
from harness.runs.key import run_parts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("name", metavar="NAME", help="a contribution, or `reference`")
    add("--track", default=DEFAULT_TRACK, help="the track (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Print the reasons; return 0 when there are none, 1 otherwise."""
    console, track = Console(highlight=False), load_track(args.track)
    contribution = registry.load(args.name)
    newest = newest_row(track.file.name, contribution.name)
    reasons = changed_since(contribution, track, newest[1]) if newest else ["it has not run here"]
    old = row_files.outdated_rows(track.file.name, track.protocol_hash())
    if contribution.name in old:
        reasons.append(f"the recorded row is old: {old[contribution.name]}")
    if not reasons:
        console.print(f"{contribution.name}: nothing has changed since its newest run.")
        return 0
    console.print(f"{contribution.name} must run again:")
    for reason in reasons:
        console.print(f"  {escape(reason)}", soft_wrap=True)
    return 1


def changed_since(contribution: Contribution, track: Track, folder: Path) -> list[str]:
    """Compare what a run's figures depended on with how that is now."""
    try:
        before: dict[str, str] = json.loads((folder / PARTS_FILE).read_bytes())
    except (OSError, ValueError):
        return ["its newest run used another version of the hub"]
    # The same device as then: asking for another is no change.
    now = run_parts(contribution, registry.load_reference(), track, before.get("device", ""))
    reasons = [f"{name} changed" for name in now if name in before and now[name] != before[name]]
    reasons += [f"{name} is new" for name in now.keys() - before.keys()]
    reasons += [f"{name} is gone" for name in before.keys() - now.keys()]
    return sorted(reasons)
