"""``plan``: list the runs of a board; with ``--executor``, run them, here or elsewhere."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

from rich.console import Console

from harness import paths
from harness.commands.isolation import add_isolation_arguments
from harness.commands.options import add_board_arguments
from harness.commands.recording import refuse_record
from harness.commands.seeds import DEVICES, chosen_seeds, parse_seeds
from harness.commands.whole_board import (
    announce,
    conclude,
    task_pattern,
)
from harness.protocol.track import load_track
from harness.runs.graph.durations import clock
from harness.runs.graph.pool import jobs_on
from harness.runs.many.choose import ALL, Choice, choose
from harness.runs.many.estimates import typical
from harness.runs.many.listener import Listener, Storing
from harness.runs.many.local import run_local
from harness.runs.many.plan import SETTLED, PlannedRun, without_settled
from harness.runs.many.queue import Planned
from harness.runs.many.shard import cut, parse_shard
from harness.runs.many.tasks import Task, TaskResult
from harness.runs.many.view import Account, create_view
from toolkit.core.errors import UsageError

EXECUTORS = ("local", "shard", "ray")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    parser.set_defaults(name=None, only_gate=False, probe=[], all=True)
    add("--track", default=ALL, help="which track (default: %(default)s of them)")
    add("--format", choices=("text", "json"), default="text", help="(default: %(default)s)")
    add(
        "--missing",
        action="store_true",
        help="omit runs that have a valid row of this code on the board",
    )
    add("--quick", action="store_true", help="the seeds of a quick verdict, not all")
    add("--executor", choices=EXECUTORS, help="run the plan, with this executor")
    add("--shard", type=shard, metavar="I/N", help="which part of the plan, such as 2/8")
    add(
        "--address",
        help="with --executor ray: address of the cluster (default: the one that Ray finds)",
    )
    add("--out", type=Path, metavar="DIR", help="store rows in DIR/TRACK/NAME.json, for `collect`")
    add("--record", action="store_true", help="store rows in leaderboard/results")
    add(
        "--seeds", type=parse_seeds, metavar="N|A,B,...", help="the first N of each track, or these"
    )
    add("--device", default="cpu", choices=DEVICES, help="device (default: %(default)s)")
    add("--fresh", action="store_true", help="run again even if nothing changed")
    add("--skip-gate", action="store_true", help="leave the gate out")
    add_board_arguments(parser)
    add_isolation_arguments(parser)


def shard(text: str) -> tuple[int, int]:
    """Read ``2/8``, for argparse."""
    try:
        return parse_shard(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(args: argparse.Namespace) -> int:
    """Print the plan, or run it; return 0 if nothing needs fixing."""
    require_consistent(args)
    if (args.record or args.out) and args.track != ALL:
        refuse_record(load_track(args.track))
    console = Console(highlight=False)
    pattern = task_pattern(args)
    seeds_of = partial(chosen_seeds, args.seeds, every=not args.quick)
    choice = choose(pattern, args.track, args.only, seeds_of, from_checkout=args.shard is not None)
    planned = selected(choice, args)
    if args.executor is None:
        show(choice, planned, args, console)
        return 0
    announce(choice, pattern, console)
    found = execute(planned, pattern, args, console)
    whole_board = not (args.only or args.missing or args.shard)
    return conclude(found, console, whole_board=whole_board)


def require_consistent(args: argparse.Namespace) -> None:
    """Refuse options that would have no effect.

    Raises:
        UsageError: All of them are named.
    """
    here, ray = args.executor is None, args.executor == "ray"
    faults = {
        "--executor shard needs --shard I/N": args.executor == "shard" and not args.shard,
        "--shard belongs to --executor shard": args.shard and args.executor in ("local", "ray"),
        "--address belongs to --executor ray": args.address and not ray,
        "--jobs is for one machine: Ray counts the cluster's processors": args.jobs and ray,
        "--out, --record and --jobs belong to --executor": here
        and (args.out or args.record or args.jobs),
        "--format json prints the plan: omit --executor": not here and args.format == "json",
        "--out and --record name two places for the same rows": args.out and args.record,
        "--quick cannot be combined with --record or --seeds": args.quick
        and (args.record or args.seeds),
    }
    found = [text for text, wrong in faults.items() if wrong]
    if found:
        raise UsageError("; ".join(found) + ".", fix="nox -s plan -- --help")


def selected(choice: Choice, args: argparse.Namespace) -> list[Planned]:
    """Return the runs that are asked for: of this shard, without those that need not be run."""
    planned, lines = list(choice.planned), choice.lines
    if args.missing:
        planned = without_settled(planned, lines)
    return cut(planned, *args.shard) if args.shard else planned


def execute(
    planned: list[Planned], pattern: Task, args: argparse.Namespace, console: Console
) -> list[TaskResult]:
    """Carry the runs out."""
    jobs = args.jobs or jobs_on(pattern.device)
    if args.executor == "ray":
        from harness.runs.many.ray_cluster import connected

        with connected(args.address) as cluster:
            account = Account(planned, cluster.places(planned))
            with create_view(console, account) as view:
                return cluster.run(planned, storing(view, args))
    with create_view(console, Account(planned, jobs)) as view:
        return run_local(planned, storing(view, args), jobs)


def storing(view: Listener, args: argparse.Namespace) -> Listener:
    """Have rows stored where the user said."""
    folder = args.out or (paths.RESULTS if args.record else None)
    return view if folder is None else Storing(view, folder)


def show(
    choice: Choice, planned: list[Planned], args: argparse.Namespace, console: Console
) -> None:
    """Print the plan as text or as JSON."""
    wanted = {one.task.label for one in planned}
    lines = [line for line in choice.lines if f"{line.contribution} on {line.track}" in wanted]
    if args.format == "json":
        document = {
            "runs": [line.model_dump(mode="json") for line in lines],
            "left_out": choice.left_out,
        }
        print(json.dumps(document, indent=1))
        return
    for line in lines:
        seconds = "unknown" if line.seconds is None else clock(line.seconds)
        key = (line.key or "")[:12]
        print(f"{line.track:<12} {line.contribution:<24} {key:<12} {line.state:<9} {seconds:>8}")
    for track, why in choice.left_out.items():
        print(f"{track} is left out: {why}")
    usual = typical(line.seconds for line in lines)

    def on_one_core(some: list[PlannedRun]) -> str:
        seconds = sum(usual if line.seconds is None else line.seconds for line in some)
        return f"about {clock(seconds)} on one core"

    left = [line for line in lines if line.state not in SETTLED]
    print(f"{len(lines)} runs, {len(left)} to be run, {on_one_core(left)}.")
    again = [line for line in lines if line.state == "recorded"]
    if again:
        print(
            f"{len(again)} have a row on the board and none in runs/ here: --executor runs them "
            f"again, {on_one_core(again)}; --missing omits them."
        )
