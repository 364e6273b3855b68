"""``contribution NAME``: the main job."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.check.render import render_text
from harness.commands.isolation import add_isolation_arguments, settle
from harness.commands.options import add_board_arguments, add_mix_arguments
from harness.commands.recording import refuse_record
from harness.commands.seeds import DEVICES, chosen_seeds, parse_seeds
from harness.contributions import registry
from harness.contributions.recipes.render import keep_command, show_origins
from harness.contributions.record import Contribution
from harness.contributions.registry import load_mixed
from harness.gate.catalogue import choose
from harness.gate.render import render_report, summary_line
from harness.protocol import row_files
from harness.protocol.figure_table import FIGURES, mean_text
from harness.protocol.figures import Figures
from harness.protocol.gate_track import gate_track
from harness.protocol.next_step import draw_command
from harness.protocol.row import Row
from harness.protocol.track import DEFAULT_TRACK, Track, load_track
from harness.runs.confirm import confirmed_course
from harness.runs.folders import PAGE_FILE, SHEET_FILE
from harness.runs.graph.pool import Pool, jobs_on
from harness.runs.pipeline import Options, Run, check, require_clean, run_course
from harness.runs.steps.gate import run_gates
from toolkit.core import atomic
from toolkit.core.errors import UsageError
from toolkit.core.progress import create_progress
from toolkit.core.settings import REFERENCE_NAME
from toolkit.core.terminal import wants_colour


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    parser.set_defaults(complain=parser.error)
    several = "folders in CONTRIBUTIONS/, or `reference`; several are compared in a contest"
    add("names", metavar="NAME", nargs="*", help=several)
    add_board_arguments(parser)
    add(
        "--track",
        default=DEFAULT_TRACK,
        help="the track (default: %(default)s); with --all also `all`",
    )
    add(
        "--seeds",
        type=parse_seeds,
        metavar="N|A,B,...",
        help="the track's first N seeds, or these (default: 3 of them; all with --record)",
    )
    add("--device", default="cpu", choices=DEVICES, help="device (default: %(default)s)")
    add("--fresh", action="store_true", help="run again even if nothing changed")
    add("--only-gate", action="store_true", help="run the correctness gate and nothing else")
    add(
        "--probe",
        action="append",
        default=[],
        metavar="HUB-C18",
        help="run this probe of the gate alone; may be repeated",
    )
    add("--skip-gate", action="store_true", help="skip the gate; such a row cannot be recorded")
    add("--record", action="store_true", help="also store the row in leaderboard/results")
    add_mix_arguments(parser)
    add_isolation_arguments(parser)


def chosen_options(args: argparse.Namespace, track: Track) -> Options:
    """Turn the options of the command line into those of a run.

    Raises:
        UsageError: More seeds were asked for than the track has.
    """
    seeds, thorough = chosen_seeds(args.seeds, track, every=args.record)
    return Options(
        seeds=seeds,
        device=args.device,
        fresh=args.fresh,
        skip_gate=args.skip_gate,
        thorough=thorough,
    )


def run(args: argparse.Namespace) -> int:
    """Run one contribution, or several; return 0 when all is ok."""
    console = Console(stderr=False, highlight=False, file=sys.stdout)
    several = sort_names(args)
    if args.all:
        from harness.commands.whole_board import run_board  # one run needs none of it

        return run_board(args, console, contest=several)
    return run_one(args, console)


def sort_names(args: argparse.Namespace) -> bool:
    """Turn names into what the rest reads: one name, or several that a contest is limited to.

    Returns:
        Whether there are several.
    """
    args.name = args.names[0] if args.names else None
    several = len(args.names) > 1
    if several and not args.all:
        args.all, args.name, args.only = True, None, (*args.names, *args.only)
    if args.all and args.taken:
        args.complain("--with belongs to one contribution, not to --all or several")
    if not args.all and args.name is None:
        args.complain("missing: NAME, or --all")
    if not args.all and (args.only or args.jobs):
        args.complain("--only and --jobs belong to --all")
    return several


def run_one(args: argparse.Namespace, console: Console) -> int:
    """Run one contribution, show the verdict, return 0 when it is ok."""
    contribution = load_mixed(args.name, args.taken)
    track = load_track(args.track)
    console.print(f"[bold]{contribution.name}[/] on the track [bold]{escape(track.file.title)}[/]")
    show_origins(contribution, console)
    settle(args, contribution, console)
    if args.only_gate or args.probe:
        return only_gate(contribution, track, args, console)
    if args.record and args.skip_gate:
        raise UsageError("A row without the gate cannot be recorded.", fix="Omit --skip-gate.")
    if args.record:
        refuse_record(track)
    if args.record and contribution.label:
        raise UsageError(
            f"{contribution.label} has no folder, so it has no place on the board.",
            fix=f"Save it first: {keep_command(contribution)}",
        )
    options = chosen_options(args, track)
    with create_progress(console) as progress:
        course = (confirmed_course if args.record else run_course)(
            contribution, track, options, progress
        )
        finished = Pool(jobs_on(args.device)).run(course, progress)
    show(finished, console)
    if contribution.label:
        console.print(f"Keep it: {keep_command(contribution)}", style="dim", soft_wrap=True)
    if args.record:
        record(finished)
    return 0 if finished.row.status in ("ok", "unmergeable") else 1


def only_gate(
    contribution: Contribution, track: Track, args: argparse.Namespace, console: Console
) -> int:
    """Run the correctness gate alone; return 0 when no probe found an error."""
    findings = check(contribution)
    if findings:
        console.print(render_text(findings), markup=False, soft_wrap=True)
    require_clean(contribution.name, findings)
    reference = registry.load_reference()
    probes = tuple(probe.id for probe in choose(tuple(args.probe))) if args.probe else ()
    with create_progress(console) as progress:
        (report,) = run_gates(
            [contribution],
            reference,
            gate_track(track),
            progress,
            probes=probes,
            fresh=args.fresh,
        )
    console.print(
        render_report(report, colour=wants_colour()), markup=False, soft_wrap=True, emoji=False
    )
    return 1 if report.errors else 0


def record(finished: Run) -> None:
    """Copy the row and the sheet of pictures to the board's folder.

    A run that drew nothing takes the pictures of an earlier one away.
    """
    path = row_files.recorded_path(finished.row)
    row_files.write_row(path, finished.row)
    sheet = finished.folder / SHEET_FILE
    if sheet.is_file():
        atomic.write_bytes(path.with_suffix(".webp"), sheet.read_bytes())
    else:
        path.with_suffix(".webp").unlink(missing_ok=True)


def show(finished: Run, console: Console) -> None:
    """Print the figures and the verdict, or the error and its fix."""
    row = finished.row
    if finished.findings:
        console.print(render_text(finished.findings), markup=False, soft_wrap=True)
    if finished.report is not None and finished.report.errors:
        text = render_report(finished.report, colour=wants_colour())
        console.print(text, markup=False, soft_wrap=True, emoji=False)
    elif finished.report is not None:
        more = f". Hints: nox -s contribution -- {row.contribution} --only-gate"
        hints = more if finished.report.findings else ""
        console.print(f"Gate: {summary_line(finished.report)}{hints}", style="dim", markup=False)
    if row.status == "unmergeable":
        show_pictures_only(finished, console)
        return
    if row.status != "ok" or row.verdict is None:
        show_failure(finished, console)
        return
    if finished.reused:
        when = f"{row.created_at:%Y-%m-%d %H:%M} UTC"
        console.print(f"Nothing has changed since {when}; --fresh runs it again.", style="dim")
    console.print(figures(row))
    style = {"better": "bold green", "worse": "bold red"}.get(row.verdict.outcome, "bold")
    console.print(escape(row.verdict.sentence), style=style)
    show_flags(row, console)
    console.print(f"Page: {finished.folder / PAGE_FILE}", soft_wrap=True)
    command = draw_command(row.contribution, load_track(row.track).file)
    console.print(f"Next: {command}", style="dim", markup=False, soft_wrap=True)


def figures(row: Row) -> Table:
    """Return the table of figures: base, reference, contribution; means over seeds."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    counted = row.costs is not None and row.costs.cpu_seconds is not None
    cost = "processor s" if counted else "s per training"  # in older rows: by the clock
    headings = ("", "held-out loss", "gain", "hits", "similarity", "drift", cost, "parameters")
    for heading in headings:
        table.add_column(heading, justify="left" if not heading else "right")
    if row.base is None or row.costs is None:
        return table
    table.add_row("base", *cells([row.base]), "", "")
    costs = row.costs
    if row.contribution != REFERENCE_NAME:
        theirs = cells([score.reference for score in row.scores])
        theirs_s = costs.reference_cpu_seconds if counted else costs.reference_seconds
        size = f"{costs.reference_parameters:,}"
        table.add_row("reference", *theirs, f"{theirs_s or 0:.1f}", size)
    own = cells([score.own for score in row.scores])
    size = f"{row.trainable_parameters or 0:,}"
    own_s = costs.cpu_seconds if counted else costs.train_seconds
    table.add_row(f"[bold]{row.contribution}[/]", *own, f"{own_s or 0:.1f}", size)
    return table


def cells(figures: Sequence[Figures]) -> tuple[str, ...]:
    """Return the means over seeds as texts."""
    kinds = {kind.name: kind for kind in FIGURES}
    shown = [kinds[name] for name in ("gain", "hit rate", "similarity", "drift")]
    return (
        f"{statistics.fmean(one.heldout.mean for one in figures):.4f}",
        *(mean_text(kind, [kind.read(one) for one in figures]) for kind in shown),
    )


def show_flags(row: Row, console: Console) -> None:
    """Print what a reader of the row has to know."""
    for flag in row.flags:
        console.print(f"{flag.kind}: {escape(flag.text)}", style="yellow", soft_wrap=True)


def show_pictures_only(finished: Run, console: Console) -> None:
    """Print what can be said about an adapter that is no change of weights."""
    row = finished.row
    console.print("[bold]unmergeable[/]: it is judged only by its own pictures, and not ranked.")
    for name in ("hit_rate", "similarity", "prompt_adherence", "memorisation", "copies"):
        own, reference = (
            [getattr(getattr(one, side), name) for one in row.own_pictures]
            for side in ("own", "reference")
        )
        if None not in own:
            console.print(
                f"  {name:<18} {statistics.fmean(own):.3f}   reference "
                f"{statistics.fmean(reference):.3f}"
            )
    show_flags(row, console)
    console.print(f"Page: {finished.folder / PAGE_FILE}", soft_wrap=True)


def show_failure(finished: Run, console: Console) -> None:
    """Print why a run is not ok, with the end of its log."""
    error = finished.row.error
    if error is None:
        return
    if error.log_tail:
        console.print("--- the end of its log ---", style="dim")
        for line in error.log_tail:
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        console.print("---", style="dim")
    console.print(f"{finished.row.status}: {escape(error.what)}", style="bold red")
    if error.where:
        console.print(f"  at   {escape(error.where)}", soft_wrap=True)
    if error.fix:
        console.print(f"  fix  {escape(error.fix)}", soft_wrap=True)
    console.print(f"Page: {finished.folder / PAGE_FILE}", soft_wrap=True)
