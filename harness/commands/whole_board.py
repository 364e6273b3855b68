"""``contribution --all``: all contributions, on one track or on all, in one pool."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import partial

from rich.console import Console

from harness import paths
from harness.board.board_check import control_faults
from harness.commands.recording import is_own, refuse_record
from harness.commands.seeds import chosen_seeds
from harness.protocol.track import Track, load_track
from harness.runs.graph.pool import jobs_on
from harness.runs.many.choose import ALL, Choice, SeedsOf, choose
from harness.runs.many.listener import Storing
from harness.runs.many.local import run_local
from harness.runs.many.tasks import Task, TaskResult
from harness.runs.many.view import Account, create_view, outcome, spoken
from harness.runs.own.gates import gates_ahead
from harness.sandbox.choose import choose as choose_layer
from harness.sandbox.layers import PROMISES, WANTED
from toolkit.core.errors import UsageError
from toolkit.core.progress import create_progress
from toolkit.core.settings import REFERENCE_NAME


def task_pattern(args: argparse.Namespace) -> Task:
    """Turn the options of the command line into what all tasks have in common.

    Raises:
        UsageError: The options belong to one contribution, or contradict each other.
    """
    single = {
        "--only-gate": args.only_gate,
        "--probe": args.probe,
        "a name": args.name,
    }
    wrong = [option for option, given in single.items() if given]
    if (args.record or getattr(args, "out", None)) and args.skip_gate:
        raise UsageError("A row without the gate cannot be recorded.", fix="Omit --skip-gate.")
    if wrong:
        raise UsageError(
            f"--all does not go with {', '.join(wrong)}.",
            fix="To run some of them, use --all --only A,B.",
        )
    return Task(
        contribution=REFERENCE_NAME,
        track="",
        device=args.device,
        fresh=args.fresh,
        skip_gate=args.skip_gate,
        isolation=choose_layer(args.isolation),
        trust=args.trust,
    )


def run_board(args: argparse.Namespace, console: Console, *, contest: bool = False) -> int:
    """Run the board; return 0 when every row is good and every control is in its place.

    Args:
        args: The command line.
        console: Where to print.
        contest: Several were named: they are compared with each other, and one is recommended. On
            an own track it is always so.
    """
    pattern = task_pattern(args)
    seeds_of: SeedsOf = partial(chosen_seeds, args.seeds, every=args.record)
    if contest or is_own(args.track):
        return run_contest(args, pattern, seeds_of, console)
    if args.record and args.track != ALL:
        refuse_record(load_track(args.track))
    choice = choose(pattern, args.track, args.only, seeds_of)
    announce(choice, pattern, console)
    many = args.jobs or jobs_on(pattern.device)
    with create_view(console, Account(choice.planned, many)) as view:
        listener = Storing(view, paths.RESULTS) if args.record else view
        found = run_local(choice.planned, listener, many)
    return conclude(found, console, whole_board=not args.only)


def run_contest(
    args: argparse.Namespace, pattern: Task, seeds_of: SeedsOf, console: Console
) -> int:
    """Run contributions on one track and recommend one; return 0 when every row is good.

    Raises:
        UsageError: All tracks are asked for, or rows are to be recorded.
    """
    from harness.commands import contest  # loads what nothing else here needs

    if args.track == ALL:
        raise UsageError("A contest is on one track.", fix="Name it: --track robot")
    track = load_track(args.track)
    if args.record:
        refuse_record(track)
        names = ",".join(args.only)
        raise UsageError(  # a recorded row has more seeds, and one of them twice
            "A contest records nothing.",
            fix=f"nox -s contribution -- --all --only {names} --record",
        )
    only = contest.contestants(args.only, args.track)
    choice = contest.foretold(
        choose(pattern, args.track, only, contest.seeds_in_one_go(seeds_of)), track
    )
    announce(choice, pattern, console)
    many = args.jobs or jobs_on(pattern.device)
    gates = {} if args.skip_gate else gates_of(choice, track, pattern, console)
    choice = contest.with_gates(choice, gates)
    contest.announce_cost(choice, many, console, gates)
    with create_view(console, Account(choice.planned, many)) as view:
        found = run_local(choice.planned, view, many)
    code = conclude(found, console, whole_board=False)
    contest.conclude_contest(found, track, console)
    return code


def gates_of(choice: Choice, track: Track, pattern: Task, console: Console) -> dict[str, float]:
    """Return the seconds of each gate that is ahead; for that the reference's is run."""
    both = zip(choice.planned, choice.lines, strict=True)
    names = [planned.task.contribution for planned, line in both if line.state != "done"]
    if not names:
        return {}
    os.environ[WANTED] = pattern.isolation or "process"  # as in the runs
    with create_progress(console) as progress:
        return gates_ahead(names, track, progress, fresh=pattern.fresh)


def announce(choice: Choice, pattern: Task, console: Console) -> None:
    """Say in what isolation the runs will be, and which tracks are left out."""
    layer = pattern.isolation or "process"
    console.print(f"Isolation: {layer} ({PROMISES[layer]}).", style="dim", soft_wrap=True)
    for track, why in choice.left_out.items():
        text = f"The track {track} is left out: {why}"
        console.print(text, style="yellow", markup=False, soft_wrap=True)


def conclude(found: Sequence[TaskResult], console: Console, *, whole_board: bool) -> int:
    """Print what is to be mended; return 0 when there is nothing."""
    bad = sorted((one for one in found if not one.good), key=lambda one: one.label)
    faults = []
    for track in dict.fromkeys(one.track for one in found) if whole_board else ():
        rows = [one.row for one in found if one.track == track and one.row is not None]
        faults += [f"{track}: {fault}" for fault in control_faults(rows)]
    reused = sum(one.reused for one in found)
    spent = sum(one.seconds for one in found)
    console.print(
        f"{len(found)} runs, {reused} of them known already; one after the other: {spoken(spent)}."
    )
    for one in bad:
        console.print(f"{one.label}: {outcome(one)}", style="red", markup=False, soft_wrap=True)
        if one.error is not None and one.error.where:
            console.print(f"  at   {one.error.where}", markup=False, soft_wrap=True)
        if one.error is not None and one.error.fix:
            console.print(f"  fix  {one.error.fix}", markup=False, soft_wrap=True)
    for fault in faults:
        console.print(f"fault: {fault}", style="red", markup=False, soft_wrap=True)
    if bad or faults:
        console.print(f"{len(bad)} of {len(found)} runs are not good.", style="bold red")
        return 1
    console.print("All rows are good.", style="bold green")
    return 0
