"""``controls``: measure the hub's own rows and see whether the board orders them as it must."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.markup import escape

from harness.board.board_check import control_faults
from harness.commands.contribution import record, show
from harness.commands.isolation import add_isolation_arguments, settle
from harness.commands.recording import refuse_record
from harness.commands.seeds import DEVICES
from harness.contributions import registry
from harness.protocol.track import DEFAULT_TRACK, load_track
from harness.runs.pipeline import Options, run_contribution
from toolkit.core.progress import create_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--track", default=DEFAULT_TRACK, help="the track (default: %(default)s)")
    add("--device", default="cpu", choices=DEVICES, help="device (default: %(default)s)")
    add("--fresh", action="store_true", help="run again even if nothing changed")
    add(
        "--record",
        action="store_true",
        help="use all seeds, and store the rows in leaderboard/results",
    )
    add_isolation_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run the reference and all controls; return 0 when each is in its place."""
    console, track = Console(highlight=False), load_track(args.track)
    if args.record:
        refuse_record(track)
    names = registry.control_names()
    compared = [registry.load_reference(), *(registry.load_control(name) for name in names)]
    options = Options(device=args.device, fresh=args.fresh, thorough=args.record, skip_gate=True)
    rows = []
    with create_progress(console) as progress:
        for contribution in compared:
            settle(args, contribution, console)
            finished = run_contribution(contribution, track, options, progress)
            show(finished, console)
            if args.record:
                record(finished)
            rows.append(finished.row)
    faults = control_faults(rows)
    for fault in faults:
        console.print(f"fault: {escape(fault)}", style="bold red")
    if not faults:
        console.print("Every control is in its place.", style="bold green")
    return 1 if faults else 0
