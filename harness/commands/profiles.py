"""``profiles``: measure what each contribution does differently, and write the table."""

from __future__ import annotations

import argparse

from rich.console import Console

from harness.commands.isolation import add_isolation_arguments, settle
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.gate.profile import table
from harness.gate.profile.catalogue import PROPERTIES
from harness.gate.profile.summary import Difference, differences
from harness.protocol.gate_track import gate_track
from harness.protocol.track import DEFAULT_TRACK, load_track
from harness.runs.steps.gate import run_gates
from toolkit.core.errors import HubError
from toolkit.core.progress import create_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="measure these; none means all that changed")
    add("--fresh", action="store_true", help="measure everything again")
    add("--check", action="store_true", help="write nothing; fail if not current")
    add_isolation_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure what is not known yet, and write file and page."""
    console = Console(highlight=False)
    contributions = [registry.load(name) for name in registry.contribution_names()]
    here = {one.name for one in contributions}
    profiles = {name: one for name, one in table.read().items() if name in here}
    missing = [one for one in contributions if not is_known(profiles, one)]
    if args.check:
        return check(profiles, contributions, missing, console)
    if args.names or args.fresh:
        missing = [one for one in contributions if not args.names or one.name in args.names]
    for one in missing:
        profiles[one.name] = table.entry(one, measured(args, one, console))
        table.write(profiles, contributions)
    table.write(profiles, contributions)
    console.print(f"Page: {table.PAGE_FILE}", soft_wrap=True)
    return 0


def is_known(profiles: dict[str, table.Known], one: Contribution) -> bool:
    """Tell whether a contribution as it is now has been measured."""
    return one.name in profiles and table.is_current(profiles[one.name], one)


def measured(
    args: argparse.Namespace, one: Contribution, console: Console
) -> tuple[Difference, ...]:
    """Measure one contribution; without hooks of its own there is nothing to measure.

    Raises:
        HubError: An experiment did not end, so half of the differences would be missing.
    """
    if not one.file.hooks:
        return ()
    settle(args, one, console)
    track = gate_track(load_track(DEFAULT_TRACK))
    probes = tuple(prop.id for prop in PROPERTIES)
    with create_progress(console) as progress:
        (report,) = run_gates([one], registry.load_reference(), track, progress, probes=probes)
    for found in report.findings:
        console.print(f"{one.name}: {found.severity} {found.probe}: {found.observed}")
    if any(outcome.state == "not run" for outcome in report.outcomes):
        raise HubError(
            f"{one.name}'s profile is incomplete, so it is not kept.",
            fix=f"Mend what is said above, or run it on a quieter machine: "
            f"nox -s profiles -- {one.name}",
        )
    return differences(report)


def check(
    profiles: dict[str, table.Known],
    contributions: list[Contribution],
    missing: list[Contribution],
    console: Console,
) -> int:
    """Return 1, and say why, when the files are not what the contributions are."""
    for one in missing:
        console.print(f"{one.name} has changed since it was measured.")
    page = table.PAGE_FILE.read_text("utf-8") if table.PAGE_FILE.is_file() else ""
    stale = page != table.render(profiles, contributions)
    if stale:
        console.print(f"{table.PAGE_FILE} is not what the profiles say.")
    if missing or stale:
        console.print("Run: nox -s profiles")
    return int(bool(missing or stale))
