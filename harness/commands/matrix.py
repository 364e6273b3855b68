"""``matrix``: try which hooks go together, all pairs, and write the page about it."""

from __future__ import annotations

import argparse
import collections
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from harness import paths
from harness.commands.isolation import add_isolation_arguments, settle
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.runs.studies.compatibility.jobs import Outcome
from harness.runs.studies.compatibility.plan import all_tries, current, unknown
from harness.runs.studies.compatibility.running import run_tries
from harness.runs.studies.compatibility.table import render
from harness.sandbox.trust import require_trust
from toolkit.core import atomic
from toolkit.core.errors import ResultFileError
from toolkit.core.progress import create_progress

FOLDER = paths.ROOT / "docs"
JSON_NAME, PAGE_NAME = "compatibility.json", "compatibility.md"

OUTCOMES = TypeAdapter(list[Outcome])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--fresh", action="store_true", help="try everything again")
    add("--check", action="store_true", help="write nothing; fail if not current")
    add("--only", nargs="+", metavar="NAME", help="only pairs with these")
    add("--out", type=Path, default=FOLDER, help="folder of the two files")
    add_isolation_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Try what is not known yet, write file and page; return 0 when no pair fails midway."""
    console = Console(highlight=False)
    reference = registry.load_reference()
    contributions = [registry.load(name) for name in registry.contribution_names()]
    tries = all_tries(contributions, reference)
    known = read(args.out / JSON_NAME)
    missing = list(tries) if args.fresh and not args.check else unknown(tries, known)
    if args.check:
        return check(args.out, current(tries, known), len(missing), console)
    if args.only:
        missing = [one for one in missing if {one.cell.row, one.cell.column} & set(args.only)]
    if missing:
        trust_all(args, contributions, console)
        with create_progress(console) as progress:
            try:
                for outcome in run_tries(missing, reference, paths.RUNS / "matrix", progress):
                    known.append(outcome)
            finally:  # what is known is kept, also after Ctrl-C
                write(args.out, current(tries, known))
    outcomes = current(tries, known)
    write(args.out, outcomes)
    counts = collections.Counter(outcome.state for outcome in outcomes)
    console.print(
        f"{len(outcomes)} pairs: {counts['works']} work, {counts['refused']} are refused with a "
        f"reason, {counts['fails']} fail. {len(tries) - len(outcomes)} were not tried.\n"
        f"{args.out / PAGE_NAME}",
        soft_wrap=True,
    )
    for outcome in outcomes:
        if outcome.state == "fails":
            cell = outcome.cell
            words = f"{cell.rows}={cell.row} {cell.columns}={cell.column}: {outcome.reason}"
            console.print(words, style="red", markup=False, soft_wrap=True)
    return 1 if counts["fails"] else 0


def trust_all(
    args: argparse.Namespace, contributions: list[Contribution], console: Console
) -> None:
    """Choose the layer; where none holds, all code has to be reviewed or your own.

    Raises:
        UsageError: It is not, and ``--trust`` was not given.
    """
    layer = settle(args, registry.load_reference(), console)
    for one in contributions:
        require_trust(one, layer, trusted=args.trust)


def check(folder: Path, outcomes: list[Outcome], missing: int, console: Console) -> int:
    """Say whether the page is that of the outcomes, and they those of today's code."""
    faults = []
    if missing:
        faults.append(f"{missing} pairs were not tried with today's code.")
    page = folder / PAGE_NAME
    if not page.is_file() or page.read_text(encoding="utf-8") != render(outcomes):
        faults.append(f"{page} is not what {JSON_NAME} says.")
    for fault in faults:
        console.print(fault, style="red", soft_wrap=True)
    if faults:
        console.print("  fix  nox -s matrix")
    return 1 if faults else 0


def write(folder: Path, outcomes: list[Outcome]) -> None:
    """Write both files, atomically."""
    lines = ",\n".join(outcome.model_dump_json() for outcome in outcomes)
    atomic.write_text(folder / JSON_NAME, f"[\n{lines}\n]\n")
    atomic.write_text(folder / PAGE_NAME, render(outcomes))


def read(path: Path) -> list[Outcome]:
    """Read the known outcomes; none when there is no file.

    Raises:
        ResultFileError: The file is damaged.
    """
    if not path.is_file():
        return []
    try:
        return OUTCOMES.validate_json(path.read_bytes())
    except ValidationError as error:
        raise ResultFileError(
            f"The outcomes are not readable: {error.errors()[0]['msg']}.",
            where=str(path),
            fix="Delete the file and run nox -s matrix again.",
        ) from error
