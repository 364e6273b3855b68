"""``python -m harness explain``: the page about a rule or a probe, or the list of all."""

from __future__ import annotations

import argparse
import difflib

from harness import paths
from harness.check.rules import RULES
from harness.gate.catalogue import all_probes
from toolkit.core.errors import EnvironmentFault, UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``explain``."""
    parser.add_argument(
        "rule", nargs="?", metavar="RULE", help="such as HUB204; none lists all rules"
    )


def run(args: argparse.Namespace) -> int:
    """Print one page of docs/checks/ or docs/gate/, or one line per rule and probe."""
    if args.rule is None:
        for rule in RULES:
            marks = f"{rule.severity}{', --fix' if rule.mend else ''}"
            print(f"{rule.id}  {rule.title}  ({marks})")
        for probe in all_probes():
            marks = f"{probe.severity}{', exemptible' if probe.exemptible else ''}"
            print(f"{probe.id}  {probe.title}  ({marks})")
        return 0
    wanted = args.rule.upper()
    known = [*(rule.id for rule in RULES), *(probe.id for probe in all_probes())]
    if wanted not in known:
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
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
