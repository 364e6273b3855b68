"""``list``: which contributions there are."""

from __future__ import annotations

import argparse
import json

from harness import registry
from harness.errors import StructureError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="for programs: name, path and hooks")


def run(args: argparse.Namespace) -> int:
    """Print one line per contribution; a folder with faults is listed with a mark."""
    entries = []
    for name in registry.contribution_names():
        try:
            contribution = registry.load(name)
        except StructureError:
            entries.append({"name": name, "path": f"CONTRIBUTIONS/{name}", "hooks": None})
            continue
        hooks = list(contribution.file.hooks)
        entries.append(
            {
                "name": name,
                "path": contribution.path,
                "hooks": hooks,
                "summary": contribution.file.summary,
            }
        )
    if args.json:
        print(json.dumps(entries, indent=1))
        return 0
    for entry in entries:
        if entry["hooks"] is None:
            print(f"{entry['name']:<20} (has faults: nox -s check -- {entry['name']})")
            continue
        hooks = ", ".join(entry["hooks"]) or "settings only"
        print(f"{entry['name']:<20} {entry['summary']}  [{hooks}]")
    return 0
