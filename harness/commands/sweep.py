"""``sweep``: choose a learning rate for a contribution, on training-side data only."""

from __future__ import annotations

import argparse

from rich.console import Console

from harness.commands.isolation import add_isolation_arguments, settle
from harness.contributions import registry
from harness.contributions.dependencies import require_installed
from harness.contributions.record import Contribution
from harness.protocol.track import DEFAULT_TRACK, load_track
from harness.runs.studies.rate_trials import sweep
from harness.runs.sweep_files import Sweep, Trial, read_sweep, sweep_file
from toolkit.core import atomic
from toolkit.core.progress import create_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("name", help="contribution to choose a rate for, or `reference`")
    add("--track", default=DEFAULT_TRACK, help="the track (default: %(default)s)")
    add("--jobs", type=int, default=2, help="trainings at once (%(default)s)")
    add("--fresh", action="store_true", help="ignore the rates tried before")
    add_isolation_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Try rates, write leaderboard/sweeps/TRACK/NAME.json and show it."""
    console, track = Console(highlight=False), load_track(args.track)
    contribution = registry.load_any(args.name)
    require_installed(contribution)
    settle(args, contribution, console)
    path = sweep_file(contribution.name, track)
    known = None if args.fresh else read_sweep(path)
    with create_progress(console) as progress:
        found = sweep(contribution, track, max(1, args.jobs), known, progress)
    atomic.write_text(path, found.model_dump_json(indent=1) + "\n")
    show(found, contribution, console)
    console.print(f"Written: {path}", markup=False, soft_wrap=True)
    return 0


def show(found: Sweep, contribution: Contribution, console: Console) -> None:
    """Print the table and what to do with it."""
    pictures = sum(len(fold.held_back) for fold in found.folds)
    console.print(
        f"Gain after {found.steps} steps on {pictures} training pictures, each held back once "
        f"({len(found.folds)} folds, a seed each); {len(found.trials)} of at most "
        f"{found.most_rates} rates:",
        soft_wrap=True,
    )
    for trial in found.trials:
        console.print(line_of(trial, found.chosen), markup=False, soft_wrap=True)
    if found.bound:
        console.print(found.bound, style="yellow", markup=False, soft_wrap=True)
    console.print(f"Tolerance: {found.tolerance.sentence}", markup=False, soft_wrap=True)
    now = contribution.file.settings.train.learning_rate
    if now == found.chosen:
        console.print(f"{contribution.name} uses it already: {now:g}.")
    else:
        table = f"[settings.train] learning_rate = {found.chosen:g}"
        console.print(f"Now {now:g}. To use the best: {table}", markup=False, soft_wrap=True)


def line_of(trial: Trial, chosen: float) -> str:
    """Return a rate with its mean gain and that of each fold."""
    if not trial.gains:
        return f"{trial.learning_rate:>10g}  failed: {trial.fault}"
    folds = " ".join(f"{100 * gain:6.2f}" for gain in trial.gains)
    mark = "  <- best" if trial.learning_rate == chosen else ""
    return f"{trial.learning_rate:>10g}  {100 * trial.gain:6.2f} %  (folds: {folds}){mark}"
