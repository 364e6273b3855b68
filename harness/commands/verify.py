"""``verify ROW``: run a recorded row again and say whether the figures agree."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from harness import paths
from harness.commands.isolation import add_isolation_arguments, settle
from harness.commands.seeds import DEVICES
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.equal_references import same_code
from harness.protocol.repeated import judge
from harness.protocol.row import Row
from harness.protocol.row_files import read_row
from harness.protocol.track import DEFAULT_TRACK, Track, load_track
from harness.runs.confirm import confirmed_course
from harness.runs.graph.pool import Pool, jobs_on
from harness.runs.pipeline import Options
from toolkit.core.errors import UsageError
from toolkit.core.progress import create_progress
from toolkit.core.settings import REFERENCE_NAME


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("row", metavar="ROW", help="a recorded row: its name or its JSON file")
    parser.add_argument(
        "--track", help=f"of a name (default: {DEFAULT_TRACK}; of `reference`: all tracks)"
    )
    parser.add_argument(
        "--device", default="cpu", choices=DEVICES, help="device (default: %(default)s)"
    )
    only = parser.add_argument_group("only with `reference`")
    only.add_argument("--first-seed", action="store_true", help="leave the other seeds out")
    write = "state in leaderboard/ that old rows count, if every number is the same"
    only.add_argument("--write", action="store_true", help=write)
    add_isolation_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run again with the row's seeds; return 0 when both agree."""
    console = Console(highlight=False)
    if args.row == REFERENCE_NAME:
        return run_reference(args, console)
    if args.write or args.first_seed:
        raise UsageError("--write and --first-seed go with the reference only.")
    path = Path(args.row)
    if path.suffix != ".json":
        path = paths.RESULTS / (args.track or DEFAULT_TRACK) / f"{args.row}.json"
    if not path.is_file():
        raise UsageError(
            f"There is no recorded row {path.stem} on the track {path.parent.name}.",
            where=str(path),
            fix=f"nox -s contribution -- {path.stem} runs it; LEADERBOARD.md lists what is "
            "recorded.",
        )
    row = read_row(path)
    track = load_track(row.track)
    contribution = find(row)
    require_comparable(row, contribution, track)
    settle(args, contribution, console)
    seeds = tuple(score.seed for score in row.scores)
    options = Options(seeds=seeds, device=args.device, fresh=True, skip_gate=True)
    with create_progress(console) as progress:
        course = confirmed_course(contribution, track, options, progress)
        again = Pool(jobs_on(args.device)).run(course, progress).row
    agrees, sentence = judge(row, again)
    console.print(sentence, style="bold green" if agrees else "bold red", soft_wrap=True)
    if again.confirmation is not None:
        console.print(again.confirmation.sentence, markup=False, soft_wrap=True)
    return 0 if agrees else 1


def run_reference(args: argparse.Namespace, console: Console) -> int:
    """Verify the reference's rows, of an older version of its code too."""
    from harness.commands.verify_reference import verify_reference

    settle(args, registry.load_reference(), console)
    with create_progress(console) as progress:
        return verify_reference(
            [args.track] if args.track else [],
            args.device,
            first_seed=args.first_seed,
            write=args.write,
            progress=progress,
            console=console,
        )


def find(row: Row) -> Contribution:
    """Return the contribution a row is about."""
    if row.control:
        return registry.load_control(row.contribution)
    return registry.load(row.contribution)


def require_comparable(row: Row, contribution: Contribution, track: Track) -> None:
    """Make sure that code, reference and protocol are those of the row.

    Raises:
        UsageError: Something differs, so running again would prove nothing.
    """
    now = {
        f"the code of {row.contribution}": (row.content_hash, contribution.content_hash),
        "the reference": (row.reference_hash, registry.load_reference().content_hash),
        "the protocol": (row.protocol_hash, track.protocol_hash()),
    }
    changed = [name for name, (then, today) in now.items() if not same_code(then, today)]
    if changed:
        raise UsageError(
            f"This row cannot be verified here: {', '.join(changed)} changed since.",
            fix="Check out the commit that the row was recorded with.",
        )
    if row.status != "ok":
        raise UsageError(f"The row has the status {row.status}: it has no figures to compare.")
