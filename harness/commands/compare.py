"""``compare A B``: paired statistics, pictures with their differences, loss curves, costs."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness import paths
from harness.commands.contribution import chosen_options
from harness.commands.isolation import add_isolation_arguments, settle
from harness.commands.seeds import DEVICES, parse_seeds
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.figure_table import figure_lines
from harness.protocol.pair import compare_pair
from harness.protocol.track import DEFAULT_TRACK, Track, load_track
from harness.runs.compare_page import Side, write_compare_page
from harness.runs.pipeline import Options, Run, run_contribution
from harness.runs.steps.columns import scored_pictures
from harness.worker.jobs import seed_folder
from toolkit.core.errors import HubError, UsageError
from toolkit.core.progress import Progress, create_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("one", metavar="A", help="a contribution, or `reference`")
    add("other", metavar="B", help="another one")
    add("--track", default=DEFAULT_TRACK, help="the track (default: %(default)s)")
    add(
        "--seeds",
        type=parse_seeds,
        metavar="N|A,B,...",
        help="the track's first N seeds, or these (default: as many as a first verdict uses)",
    )
    add("--device", default="cpu", choices=DEVICES, help="device (default: %(default)s)")
    add("--out", type=Path, help="the page (default: runs/TRACK/compare/A-B.html)")
    add_isolation_arguments(parser)
    parser.set_defaults(record=False, fresh=False, skip_gate=True)


def run(args: argparse.Namespace) -> int:
    """Run both unless that has been done, compare them, write the page.

    Raises:
        UsageError: Both are the same.
    """
    console, track = Console(highlight=False), load_track(args.track)
    if args.one == args.other:
        raise UsageError("Nothing to compare: both are the same contribution.")
    one, other = registry.load(args.one), registry.load(args.other)
    options = chosen_options(args, track)
    if options.thorough:  # all of the track's seeds, in one batch
        options = Options(seeds=track.file.seeds, device=args.device, skip_gate=True)
    with create_progress(console) as progress:
        sides = []
        for contribution in (one, other):
            settle(args, contribution, console)
            sides.append(side_of(contribution, track, options, progress))
    first, second = sides
    path = args.out or paths.RUNS / track.file.name / "compare" / f"{one.name}-{other.name}.html"
    show(first, second, console)
    write_compare_page(path, first, second, track)
    console.print(f"Page: {path}", soft_wrap=True)
    return 0


def side_of(contribution: Contribution, track: Track, options: Options, progress: Progress) -> Side:
    """Run one side, unless that has been done, and collect what is shown of it.

    Raises:
        HubError: It has no figures to be compared.
    """
    finished: Run = run_contribution(contribution, track, options, progress)
    row = finished.row
    if row.status != "ok":
        why = row.error.what if row.error else ""
        raise HubError(
            f"{contribution.name} cannot be compared, its run ended as {row.status}: {why}",
            where=row.error.where if row.error else None,
            fix=f"nox -s contribution -- {contribution.name}",
        )
    pictures = scored_pictures(seed_folder(finished.folder / "score", row.scores[0].seed))
    return Side(row, pictures[contribution.name], pictures["base"])


def show(one: Side, other: Side, console: Console) -> None:
    """Print the sentence and the table."""
    verdict = compare_pair(one.row, other.row)
    console.print(escape(verdict.sentence), style="bold", soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    names = one.row.contribution, other.row.contribution
    for heading in ("figure", "better", *names, "difference"):
        table.add_column(heading)
    lines = figure_lines(
        one.row.base, [s.own for s in one.row.scores], [s.own for s in other.row.scores]
    )
    for line in lines:
        word = f"{line.word} {line.interval_text}" if line.word != "equal" else line.word
        table.add_row(line.kind.name, line.kind.better, line.one, line.other, word)
    console.print(table)
