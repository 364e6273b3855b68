"""``list``: which contributions there are."""

from __future__ import annotations

import argparse
import json

from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.errors import CheckError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="for programs: name, path and hooks")


def run(args: argparse.Namespace) -> int:
    """Print one line per contribution; a folder with faults is listed with a mark."""
    names = registry.contribution_names()
    known = {name: contribution for name in names if (contribution := load_if_possible(name))}
    if args.json:
        print(json.dumps([as_json(name, known.get(name)) for name in names], indent=1))
        return 0
    for name in names:
        contribution = known.get(name)
        if contribution is None:
            print(f"{name:<20} (has faults: nox -s check -- {name})")
            continue
        hooks = ", ".join(contribution.file.hooks) or (
            "recipe" if contribution.parts else "settings only"
        )
        print(f"{name:<20} {contribution.file.summary}  [{hooks}]")
    return 0


def load_if_possible(name: str) -> Contribution | None:
    """Read a contribution, or return None when its contribution.toml has faults."""
    try:
        return registry.load(name)
    except CheckError:
        return None


def as_json(name: str, contribution: Contribution | None) -> dict[str, object]:
    """Describe one contribution for programs; ``hooks`` is null when it has faults."""
    hooks = None if contribution is None else list(contribution.file.hooks)
    return {"name": name, "path": f"CONTRIBUTIONS/{name}", "hooks": hooks}
