"""Which property names which fault of one line, before and after there were profiles.

    python -m tests.mutants.one_line_matrix              all of them
    python -m tests.mutants.one_line_matrix NAME ...     these only; the others keep what is written

It writes docs/gate/one_line.json and one_line.md.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Sequence
from typing import Any

import torch

from harness import paths
from harness.gate.records import GateReport
from tests.mutants.fixtures import Fixture
from tests.mutants.one_line import FRESH, KINDS, LATER, one_line_faults
from tests.mutants.one_line_results import BEFORE_FILE, JSON_FILE, Results, named, read
from tests.mutants.profiles import profiles, warm_up
from tests.mutants.warm import warm_profiles
from toolkit.core import atomic

PAGE_FILE = paths.GATE_DOCS / "one_line.md"
COLUMNS = (
    "",
    "| fault | what was changed | should be named | found | before |",
    "|---|---|---|---|---|",
)
LISTS = {
    "Written by an author who had not read the probes": FRESH,
    "Written by an author who knew the properties, to try further kinds": KINDS,
    "Written later, by an author who had read neither properties nor probes": LATER,
}


def entry(fixture: Fixture, report: GateReport) -> dict[str, Any]:
    """Return what is kept of one report."""
    causes = [f for f in report.findings if f.because_of is None]
    return {
        "fault": fixture.summary,
        "property": fixture.caught_by[0],
        "found": {f.probe: f.severity for f in causes},
        "observed": next((f.observed for f in causes if f.probe == fixture.caught_by[0]), ""),
    }


def render(entries: Results, before: Results) -> str:
    """Return the page."""
    lines = [
        "# Faults of one line",
        "",
        "Written by `nox -s mutants`. Do not edit.",
        "",
        "Each is Example1 with one line exchanged. It is *flagged* when there is an error or a "
        "difference that was not declared, and its cause is *named* when the property that was "
        "meant is among those that follow from no other. *Before* is what the gate said before a "
        "property was tuned to the list.",
    ]
    for title, path in LISTS.items():
        names = tomllib.loads(path.read_text(encoding="utf-8"))
        known = {name: entries[name] for name in names if name in entries}
        tried = {name: before[name] for name in names if name in before}
        lines += ["", f"## {title}", "", *head(known, len(names)), *at_first(tried), *COLUMNS]
        lines += [row(name, one, before) for name, one in known.items()]
    return "\n".join(lines) + "\n"


def head(entries: Results, listed: int) -> list[str]:
    """Return the sentence about one list."""
    flagged = sum(bool(e["found"]) for e in entries.values())
    right = sum(named(e) for e in entries.values())
    return [
        f"{len(entries)} of {listed} have been measured: **{flagged}** are flagged, and of "
        f"**{right}** the cause is named.",
    ]


def at_first(before: Results) -> list[str]:
    """Say what the gate found of a list at first, or nothing where it was not tried."""
    if not before:
        return []
    flagged = sum(bool(e["errors"] or e["hints"]) for e in before.values())
    stopped = sum(bool(e["errors"]) for e in before.values())
    return [
        f"At first {len(before)} of them were tried: {flagged} were flagged, {stopped} of these "
        "with an error."
    ]


def row(name: str, e: dict[str, Any], before: Results) -> str:
    """Return one row."""
    found = ", ".join(f"**{p}**" if p == e["property"] else p for p in e["found"])
    was = before.get(name)
    told = "not tried" if was is None else ", ".join({**was["errors"], **was["hints"]})
    return (
        f"| {name} | {e['fault']} | {e['property']} | {found or '**nothing**'} | "
        f"{told or 'nothing'} |"
    )


def write(entries: Results) -> None:
    """Write JSON and page, in the order of the table."""
    atomic.write_text(JSON_FILE, json.dumps(entries, indent=1, ensure_ascii=False) + "\n")
    atomic.write_text(PAGE_FILE, render(entries, read(BEFORE_FILE)))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the faults and write what was found; 1 when one escapes."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.one_line_matrix")
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults; none means all")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    warm_up()
    faults = one_line_faults()
    wanted = [f for f in faults if not options.names or f.name in options.names]
    warm_profiles({hook for fault in wanted for hook in fault.hooks})
    known = read()
    for fixture, report in profiles(wanted):
        known[fixture.name] = e = entry(fixture, report)
        print("ok    " if named(e) else "FAILED", fixture.name, *e["found"], flush=True)
        write({f.name: known[f.name] for f in faults if f.name in known})
    return 0 if all(e["found"] for e in known.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
