"""``clean``: list what no command needs any more; with --yes, remove it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from harness import paths
from harness.runs.folders import KEPT_RUNS, ROW_FILE, newest_first
from harness.sandbox.tidy import remove_tree
from harness.sandbox.watch import folder_size

GENERATED = "generated"
# How run_folders.run_folder names a run.
RUN_KEY = re.compile("[0-9a-f]{12}")
HALF = ".*.tmp"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--yes", action="store_true", help="remove them (default: only list)")
    add("--all", action="store_true", help="include finished runs and drawn pictures: all of runs/")


def run(args: argparse.Namespace) -> int:
    """List, or remove, and say how much that is."""
    total = 0
    for path, why in everything() if args.all else leftovers():
        if in_use(path):
            print(f"in use   {shown(path)}")
            continue
        size = folder_size(path)[0] if path.is_dir() else path.stat().st_size
        total += size
        print(
            f"{'removed' if args.yes else 'would go'} {size / 2**20:8.1f} MiB  {shown(path)}  {why}"
        )
        if args.yes:
            remove_tree(path)
    print(f"{total / 2**20:.1f} MiB {'freed' if args.yes else 'to free'}.")
    if total and not args.yes:
        print("Nothing was removed. To remove: nox -s clean -- --yes")
    return 0


def everything() -> Iterator[tuple[Path, str]]:
    """Yield all of runs/."""
    for path in sorted(paths.RUNS.glob("*")):
        yield path, "asked for"


def leftovers() -> Iterator[tuple[Path, str]]:
    """Yield what no command will use again.

    Only what is known by its name: runs/ also holds your trainings (`runs/trained`, which a
    later command goes on with), pictures and the site.
    """
    for job in sorted((paths.RUNS / GENERATED).glob("*/job-*")):
        if ended(job.name.removeprefix("job-")):
            yield job, "left by an interrupted command"
    for runs in sorted(path for path in paths.RUNS.glob("*/*") if path.is_dir()):
        folders = [path for path in newest_first(runs) if RUN_KEY.fullmatch(path.name)]
        for number, folder in enumerate(folders):
            if number >= KEPT_RUNS:
                yield folder, f"older than the newest {KEPT_RUNS}"
            elif not (folder / ROW_FILE).is_file():
                yield folder, "was interrupted"
    for path in sorted(paths.RUNS.rglob("*.damaged-*")):
        yield path, "a damaged file that was set aside"
    for path in half_written():
        yield path, "incomplete file of a killed command"


def half_written() -> list[Path]:
    """Return the temporary files of `atomic.replacing` wherever commands write."""
    found = [*paths.RUNS.rglob(HALF), *paths.RESULTS.rglob(HALF), *paths.ROOT.glob(HALF)]
    return sorted([*found, *paths.CONTRIBUTIONS.glob(f"*/{HALF}")])


def ended(number: str) -> bool:
    """Tell whether the process with this number is gone."""
    return number.isdigit() and not psutil.pid_exists(int(number))


def in_use(path: Path) -> bool:
    """Tell whether a run holds the lock of a path, of one above it or of one below it."""
    above = [one for one in (path, *path.parents) if one.is_relative_to(paths.RUNS)]
    locks = [Path(f"{one}.lock") for one in above]
    locks += path.rglob("*.lock") if path.is_dir() else ()
    for lock in locks:
        if lock.is_file():
            try:
                with FileLock(lock, timeout=0):
                    continue
            except Timeout:
                return True
    return False


def shown(path: Path) -> str:
    """Return a path relative to the repository where possible."""
    return path.relative_to(paths.ROOT).as_posix() if path.is_relative_to(paths.ROOT) else str(path)
