"""``docs [--check] [--out DIR]``: the pages written from the code, and the documentation's site."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import paths
from toolkit.core.errors import ResultFileError

DEFAULT_OUT = Path("runs") / "docs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add(
        "--check",
        action="store_true",
        help="write nothing; fail if a page of docs/reference/ differs from the code",
    )
    add("--out", type=Path, help=f"folder of the site (default: {DEFAULT_OUT})")


def run(args: argparse.Namespace) -> int:
    """Write the generated pages and build the site, or only compare."""
    from harness.commands.documentation import reference
    from harness.commands.documentation.build import build

    if args.check:
        if wrong := reference.outdated():
            names = ", ".join(path.relative_to(paths.ROOT).as_posix() for path in wrong)
            raise ResultFileError(f"Differs from the code: {names}", fix="nox -s docs")
        print("docs/reference/ matches the code.")
        return 0
    reference.write()
    out = args.out or paths.ROOT / DEFAULT_OUT
    build(out)
    print(f"Every link works. Open {out / 'index.html'}")
    return 0
