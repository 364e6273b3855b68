"""``python -m harness explain``: a rule, a probe, a property or a contribution in short."""

from __future__ import annotations

import argparse
import difflib

from harness import paths
from harness.check.rules import RULES
from harness.contributions import registry
from harness.gate.catalogue import all_probes
from harness.gate.profile import table
from harness.gate.profile.catalogue import PROPERTIES
from harness.gate.profile.page import entry
from harness.gate.profile.summary import differences, what_it_does_differently
from harness.protocol.gate_track import gate_track
from harness.protocol.track import DEFAULT_TRACK, load_track
from harness.runs.steps.gate import REPORT_FILE, gate_folder, read_report
from toolkit.core.errors import EnvironmentFault, UsageError
from toolkit.core.text import neutral


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``explain``."""
    parser.add_argument(
        "rule",
        nargs="?",
        metavar="NAME",
        help="a rule (HUB204), probe (HUB-C18), property (training.noise) or contribution; none "
        "lists all rules",
    )


def run(args: argparse.Namespace) -> int:
    """Print a page of docs/, a property, what a contribution does differently, or the list."""
    if args.rule is None:
        for rule in RULES:
            marks = f"{rule.severity}{', --fix' if rule.mend else ''}"
            print(f"{rule.id}  {rule.title}  ({marks})")
        for probe in all_probes():
            marks = f"{probe.severity}{', exemptible' if probe.exemptible else ''}"
            print(f"{probe.id}  {probe.title}  ({marks})")
        for prop in PROPERTIES:
            marks = (
                f"{'error' if prop.can_be_an_error else 'hint'}{'' if prop.never else ', differs'}"
            )
            print(f"{prop.id}  {prop.title}  ({marks})")
        return 0
    if registry.is_contribution(args.rule):
        return contribution(args.rule)
    properties = {prop.id: prop for prop in PROPERTIES}
    if args.rule.lower() in properties:
        print(entry(properties[args.rule.lower()]))
        return 0
    wanted = args.rule.upper()
    known = [*(rule.id for rule in RULES), *(probe.id for probe in all_probes())]
    if wanted not in known:
        names = [*known, *properties, *registry.contribution_names()]
        near = difflib.get_close_matches(args.rule, names, n=3, cutoff=0.6)
        near = near or difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
        raise UsageError(
            f"There is no rule {args.rule!r}.",
            fix=f"Did you mean {', '.join(near)}?" if near else "`explain` alone lists all rules.",
        )
    folder = paths.GATE_DOCS if wanted.startswith("HUB-C") else paths.CHECK_DOCS
    page = folder / f"{wanted}.md"
    if not page.is_file():
        raise EnvironmentFault(
            f"The page about {wanted} is missing.", where=str(page), fix="git checkout docs"
        )
    print(page.read_text(encoding="utf-8").rstrip("\n"))
    return 0


def contribution(name: str) -> int:
    """Print in at most five lines what a contribution does differently."""
    one, reference = registry.load(name), registry.load_reference()
    track = gate_track(load_track(DEFAULT_TRACK))
    report = read_report(gate_folder(one, reference, track) / REPORT_FILE)
    found = table.known(one) if report is None else differences(report)
    for line in what_it_does_differently(one, found):
        print(neutral(line))
    if found is None and one.file.hooks:
        print(f"Not measured here yet: nox -s contribution -- {name} --only-gate")
    return 0
