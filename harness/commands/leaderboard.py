"""``leaderboard [--check] [--out DIR]``: the site, LEADERBOARD.md and the tables in READMEs."""

from __future__ import annotations

import argparse
import filecmp
import sys
import tempfile
from pathlib import Path

from harness import paths
from toolkit.core.errors import ResultFileError

DEFAULT_OUT = Path("runs") / "site"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add(
        "--check",
        action="store_true",
        help="write nothing; fail if LEADERBOARD.md, the tables in the READMEs, or the site in "
        "--out do not match the rows",
    )
    add(
        "--docs",
        action="store_true",
        help="build the documentation into the site's docs/, too, with links both ways",
    )
    add("--out", type=Path, help=f"folder of the site (default: {DEFAULT_OUT})")


def run(args: argparse.Namespace) -> int:
    """Build everything, or compare it with what is there."""
    from harness.board import blocks, readmes
    from harness.board.collect import collect
    from harness.board.site import build

    board = collect()
    for fault in readmes.wanted(board)[1]:
        print(f"note: {fault}", file=sys.stderr)
    if args.check:
        differing = [str(path.relative_to(paths.ROOT)) for path in blocks.outdated(board)]
        if args.out is not None:
            with tempfile.TemporaryDirectory(prefix="hub-site-") as temporary:
                fresh = Path(temporary) / "site"
                build(board, fresh, docs=args.docs)
                names = differences(fresh, args.out)
                # What mkdocs writes is not compared: its pages hold the hour of the build.
                ours = [name for name in names if not (args.docs and name.startswith("docs/"))]
                differing += [f"{args.out}/{name}" for name in ours]
        if differing:
            raise ResultFileError(
                "The board does not match the rows: " + ", ".join(differing[:10]),
                fix="nox -s leaderboard",
            )
        print("The board matches the rows.")
        return 0
    out = args.out or paths.ROOT / DEFAULT_OUT
    blocks.write(board)
    count = build(board, out.resolve(), docs=args.docs)
    if args.docs:
        from harness.commands.documentation.build import build as build_docs

        build_docs(out / "docs", board="../index.html")
    print(f"{len(board.entries)} lines on {len(board.tracks)} tracks, {count} files.")
    print(f"Open {out / 'index.html'}; LEADERBOARD.md and the READMEs are updated, too.")
    return 0


def differences(fresh: Path, there: Path) -> list[str]:
    """List the files that are missing, too many or different, relative to the site."""
    one, two = ({p.relative_to(f) for p in f.rglob("*") if p.is_file()} for f in (fresh, there))
    changed = {
        name for name in one & two if not filecmp.cmp(fresh / name, there / name, shallow=False)
    }
    return sorted(name.as_posix() for name in (one ^ two) | changed)
