"""``registry [--check]``: keep the generated registry.toml."""

from __future__ import annotations

import argparse

from harness.contributions import registry
from toolkit.core.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if registry.toml is not current"
    )


def run(args: argparse.Namespace) -> int:
    """Write the registry, or fail when it is not current."""
    if args.check:
        if not registry.registry_is_current():
            raise UsageError(
                "registry.toml does not match the folders.",
                where="registry.toml",
                fix="python -m harness registry (the hub's CI does it on main)",
            )
        print("registry.toml is current.")
        return 0
    registry.write_registry()
    print(f"registry.toml: {len(registry.contribution_names())} contributions.")
    return 0
