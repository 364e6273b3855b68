"""The mutation matrix: which probe catches which fault, and that unusual but right code passes.

    python -m tests.mutants.__main__              all of them, 7 minutes of one core
    python -m tests.mutants.__main__ NAME ...     these only; the others keep what is written

It writes docs/gate/matrix.json and matrix.md, then one_line.json and one_line.md (see
``one_line_matrix``), and exits with 1 when a mutant escapes or a right
contribution is accused.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from harness import paths
from harness.contributions import registry
from harness.gate.catalogue import choose
from harness.gate.experiments import EXPERIMENTS
from harness.gate.probe import Probe
from harness.gate.records import GateReport
from harness.protocol.track import DEFAULT_TRACK, load_track
from tests.mutants import one_line_results
from tests.mutants.fixtures import GROUP_OF, Fixture, all_fixtures
from tests.mutants.one_line_results import Results, named
from tests.mutants.reference import reference_context
from toolkit.core import atomic
from toolkit.core.progress import PlainProgress
from toolkit.core.settings import HOOK_NAMES

JSON_FILE = paths.GATE_DOCS / "matrix.json"
PAGE_FILE = paths.GATE_DOCS / "matrix.md"
LIMIT_S = 400.0
HANG_S = 30.0


def warm_up() -> None:
    """Load once, before the forks, what every one of them needs."""
    import torch

    torch.set_num_threads(1)
    with reference_context() as context:
        for name in ("adapter", "training"):
            importlib.import_module(f"harness.gate.experiments.{name}").run(context)
    for name in EXPERIMENTS:
        importlib.import_module(f"harness.gate.experiments.{name}")


def run_fixture(
    fixture: Fixture,
    folder: Path,
    experiments: tuple[str, ...] = EXPERIMENTS,
    limit_s: float = LIMIT_S,
) -> GateReport:
    """Run the gate on one fixture in forks of this process."""
    from harness.runs.steps.gate_run import GateRun
    from tests.mutants.forked import fork

    run = GateRun(
        contribution=fixture.contribution,
        reference=registry.load_reference(),
        track=load_track(DEFAULT_TRACK),
        folder=folder,
        probes=(),
        limit_s=limit_s,
        experiments=experiments,
        launch=fork,
    )
    progress = PlainProgress(Console(quiet=True))
    try:
        while not run.poll(progress):
            time.sleep(0.05)
    finally:
        run.kill()
    return run.report()


def experiments_for(fixture: Fixture) -> tuple[str, ...]:
    """Return what is run: everything for right code, what its probes read for a mutant."""
    if fixture.kind == "unusual":
        return EXPERIMENTS
    wanted = {probe.experiment for probe in choose(fixture.caught_by)}
    if "leftovers" in wanted or wanted == {""}:  # something has to leave, or to raise
        wanted |= {"adapter", "training"}
    if wanted >= {""}:
        wanted |= {GROUP_OF[hook] for hook in fixture.hooks}
    return tuple(name for name in EXPERIMENTS if name in wanted | {"importing", "leftovers"})


def entry(fixture: Fixture, report: GateReport, cpu_seconds: float) -> dict[str, Any]:
    """Return what the matrix keeps of one report."""
    by_severity = {
        severity: sorted({f.probe for f in report.findings if f.severity == severity})
        for severity in ("error", "hint")
    }
    causes = sorted({f.probe for f in report.findings if f.because_of is None})
    found = {*by_severity["error"], *by_severity["hint"]}
    good = not found if fixture.kind == "unusual" else found >= {*fixture.caught_by}
    return {
        "kind": fixture.kind,
        "hooks": list(fixture.hooks),
        "summary": fixture.summary,
        "caught_by": list(fixture.caught_by),
        "errors": by_severity["error"],
        "hints": by_severity["hint"],
        "causes": causes,
        "exempt": sorted(fixture.contribution.file.gate.exempt),
        "declared": sorted(o.probe for o in report.outcomes if o.state == "declared"),
        "passed": sum(o.state == "passed" for o in report.outcomes),
        "good": good,
        "cpu_seconds": round(cpu_seconds, 1),
    }


def render(entries: Results, one_line: Results) -> str:
    """Return the page."""
    mutants = {n: e for n, e in entries.items() if e["kind"] == "mutants"}
    unusual = {n: e for n, e in entries.items() if e["kind"] == "unusual"}
    caught = sum(e["good"] for e in mutants.values())
    quiet = sum(e["good"] for e in unusual.values())
    titles = {one.id: one.title for one in choose(())}
    used = {one for e in mutants.values() for one in e["caught_by"]}
    used |= {e["property"] for e in one_line.values() if named(e)}
    lines = [
        "# What the correctness gate catches",
        "",
        "Written by `nox -s mutants` (`python -m tests.mutants.__main__`). Do not edit.",
        "",
        f"**{caught} of {len(mutants)} mutants** are caught by the probe meant for them, and "
        f"**{quiet} of {len(unusual)}** correct but unusual contributions raise no error, and no "
        "difference that is none or that they do not declare. "
        f"{len(used)} of {len(titles)} probes and properties have a mutant or a fault of one line "
        "of their own.",
        "",
        "A mutant is a correct contribution with one part exchanged "
        "([tests/fixtures/gate](../../tests/fixtures/gate)). *Also* lists what else was "
        "found; what follows from another finding is folded under it in a report. CPU seconds are "
        "those of the experiments that its probe reads, without importing torch.",
        "",
        "## Mutants",
        "",
        "| mutant | hook | fault | caught by | also | CPU s |",
        "|---|---|---|---|---|--:|",
    ]
    for name, e in sorted(mutants.items(), key=lambda item: (item[1]["caught_by"], item[0])):
        found = [*e["errors"], *(f"{p} (hint)" for p in e["hints"] if p not in e["errors"])]
        mark = ", ".join(e["caught_by"]) if e["good"] else f"**missed** {', '.join(e['caught_by'])}"
        also = ", ".join(p for p in found if p.split()[0] not in e["caught_by"])
        lines.append(
            f"| {name} | {', '.join(e['hooks'])} | {e['summary']} | {mark} | {also} | "
            f"{e['cpu_seconds']} |"
        )
    lines += [
        "",
        "## Correct but unusual",
        "",
        "| contribution | what is unusual | as declared | found besides | exempt | CPU s |",
        "|---|---|---|---|---|--:|",
    ]
    for name, e in sorted(unusual.items()):
        lines.append(
            f"| {name} | {e['summary']} | {', '.join(e['declared'])} | "
            f"{', '.join([*e['errors'], *e['hints']]) or 'nothing'} | {', '.join(e['exempt'])} | "
            f"{e['cpu_seconds']} |"
        )
    lines += ["", "## Probes and properties", ""]
    lines += ["| | title | mutants | faults of one line |", "|---|---|--:|--:|"]
    for one in choose(()):
        count = sum(one.id in e["caught_by"] for e in mutants.values())
        lines_of = sum(e["property"] == one.id and named(e) for e in one_line.values())
        page = f"{one.id}.md" if isinstance(one, Probe) else "properties.md"
        lines.append(f"| [{one.id}]({page}) | {one.title} | {count} | {lines_of} |")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the matrix and write it."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.__main__", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="fixtures; none means all")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args(argv)
    if not hasattr(os, "fork"):
        parser.error("the matrix needs an operating system that can fork")
    from tests.mutants.warm import warm_profiles

    warm_up()
    warm_profiles(HOOK_NAMES)
    fixtures = all_fixtures()
    wanted = [f for f in fixtures if not options.names or f.name in options.names]
    entries: dict[str, dict[str, Any]] = {}
    if JSON_FILE.is_file():
        known = json.loads(JSON_FILE.read_text(encoding="utf-8"))
        entries = {f.name: known[f.name] for f in fixtures if f.name in known}
    for fixture in wanted:
        with tempfile.TemporaryDirectory() as folder:
            limit_s = HANG_S if fixture.name == "hangs" else LIMIT_S
            report = run_fixture(fixture, Path(folder), experiments_for(fixture), limit_s)
        cpu = sum(report.cpu_seconds.values())
        entries[fixture.name] = e = entry(fixture, report, cpu)
        word = "ok    " if e["good"] else "FAILED"
        print(f"{word} {fixture.kind}/{fixture.name} {e['causes']} {cpu:.1f} s", flush=True)
        if not e["good"]:
            for found in report.findings:
                print(f"       {found.severity} {found.probe} {found.observed} | {found.where}")
        if not options.dry:
            write(entries)
    good = all(e["good"] for e in entries.values())
    if not options.names and not options.dry:
        from tests.mutants import one_line_matrix

        good &= one_line_matrix.main([]) == 0
        write(entries)  # the page counts both
    return 0 if good else 1


def write(entries: Results) -> None:
    """Write JSON and page."""
    ordered = dict(sorted(entries.items()))
    atomic.write_text(JSON_FILE, json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")
    atomic.write_text(PAGE_FILE, render(ordered, one_line_results.read()))


if __name__ == "__main__":
    raise SystemExit(main())
