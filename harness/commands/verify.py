"""``verify ROW``: run a recorded row again and say whether the figures agree."""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from rich.console import Console

from harness import paths
from harness.commands.isolation import add_isolation_arguments, settle
from harness.commands.seeds import DEVICES
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.row import Row
from harness.protocol.row_files import read_row
from harness.protocol.track import DEFAULT_TRACK, Track, load_track
from harness.runs.pipeline import Options, run_contribution
from toolkit.core.errors import UsageError
from toolkit.core.progress import create_progress

# Gains, as shares of the base's loss. On one machine with one set of packages a run repeats itself.
SAME_MACHINE = 1e-6
# Other processors round differently and training amplifies it. The means over seeds then differ no
# more than those of two draws of seeds would, three deviations for one verification in 400.
DEVIATIONS = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("row", metavar="ROW", help="a recorded row: its name or its JSON file")
    parser.add_argument("--track", default=DEFAULT_TRACK, help="of a name (default: %(default)s)")
    parser.add_argument(
        "--device", default="cpu", choices=DEVICES, help="device (default: %(default)s)"
    )
    add_isolation_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run again with the row's seeds; return 0 when both agree."""
    console = Console(highlight=False)
    path = Path(args.row)
    if path.suffix != ".json":
        path = paths.RESULTS / args.track / f"{args.row}.json"
    row = read_row(path)
    track = load_track(row.track)
    contribution = find(row)
    require_comparable(row, contribution, track)
    settle(args, contribution, console)
    seeds = tuple(score.seed for score in row.scores)
    options = Options(seeds=seeds, device=args.device, fresh=True, skip_gate=True)
    with create_progress(console) as progress:
        again = run_contribution(contribution, track, options, progress).row
    agrees, sentence = judge(row, again)
    console.print(sentence, style="bold green" if agrees else "bold red", soft_wrap=True)
    return 0 if agrees else 1


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
    changed = [name for name, (then, today) in now.items() if then != today]
    if changed:
        raise UsageError(
            f"This row cannot be verified here: {', '.join(changed)} changed since.",
            fix="Check out the commit that the row was recorded with.",
        )
    if row.status != "ok":
        raise UsageError(f"The row has the status {row.status}: it has no figures to compare.")


def judge(row: Row, again: Row) -> tuple[bool, str]:
    """Compare the gains of a row with those of running it again.

    Returns:
        Whether they agree, and a sentence with the difference and the tolerance.
    """
    if again.status != "ok":
        why = again.error.what if again.error else ""
        return False, f"Disagrees: running it again ended as {again.status}. {why}"
    then = {score.seed: score.gain for score in row.scores}
    pairs = [(then[score.seed], score.gain) for score in again.scores]
    same = (row.machine.processor, row.machine.packages) == (
        again.machine.processor,
        again.machine.packages,
    )
    if same:
        apart, tolerance = max(abs(a - b) for a, b in pairs), SAME_MACHINE
        what = "the largest difference of a seed's gain"
    else:
        apart = abs(statistics.fmean(a for a, _ in pairs) - statistics.fmean(b for _, b in pairs))
        spread = statistics.stdev(a for a, _ in pairs) if len(pairs) > 1 else 0.01
        tolerance = max(SAME_MACHINE, DEVIATIONS * spread * (2 / len(pairs)) ** 0.5)
        what = "the difference of the mean gains"
    agrees = apart <= tolerance
    machine = "this machine is like the row's" if same else "another processor or other packages"
    return agrees, (
        f"{'Agrees' if agrees else 'Disagrees'}: {what} is {100 * apart:.4f} points, allowed are "
        f"{100 * tolerance:.4f} ({machine}, {len(pairs)} seeds)."
    )
