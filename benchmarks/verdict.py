"""What a verdict costs, side by side with an earlier commit of the hub: wall, processor, memory.

    python -m benchmarks.verdict --before COMMIT [--rounds 5] [--board]

Both commits are cloned into a temporary folder and take turns. In each round each of them gives a
first verdict (nothing in runs/), one after an edit (the reference is known), and one of what has
not changed; with ``--board`` also rows of five seeds. Ratios are of the same round. What is not
committed is not measured. For figures that mean something: two cores, and nothing else on them.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from benchmarks.page import record, spread
from benchmarks.processes import MIB, Used, in_turns, use
from harness import paths

NAME = "Example1"
ROW = ("--all", "--seeds", "5")
BOARD = (NAME, "Rank16")
LOOK_S = 0.5
LINE = "# An edit.\n"


@dataclass(frozen=True)
class Cost:
    """What one command took."""

    wall_s: float
    cpu_s: float
    tree_mib: float  # of all its processes together at one time, shared pages divided among them


def measured(command: Callable[[], Used]) -> Cost:
    """Run a command, with an eye on the memory of all that this process has started."""
    peak, over = [0.0], threading.Event()
    looking = threading.Thread(target=look, args=(peak, over))
    looking.start()
    try:
        used = command()
    finally:
        over.set()
        looking.join()
    return Cost(used.wall_s, used.cpu_s, peak[0])


def look(peak: list[float], over: threading.Event) -> None:
    """Note the largest sum that is seen until it is over."""
    while not over.wait(LOOK_S):
        total = 0.0
        for process in psutil.Process().children(recursive=True):
            try:
                total += process.memory_full_info().pss / MIB
            except psutil.Error:
                continue  # it ended just now
        peak[0] = max(peak[0], total)


def clone(commit: str, folder: Path) -> Path:
    """Clone a commit of this repository, with this environment."""
    git = shutil.which("git") or "git"
    subprocess.run([git, "clone", "-qsn", paths.ROOT, folder], check=True)  # noqa: S603 - our own
    subprocess.run([git, "-C", folder, "checkout", "-q", commit], check=True)  # noqa: S603
    (folder / ".nox").symlink_to((paths.ROOT / ".nox").resolve())
    return folder


def run(hub: Path, *arguments: str) -> Cost:
    """Type a command of the hub in a clone."""
    command = [sys.executable, "-m", "harness", "contribution", *arguments]
    return measured(partial(use, command, f"{hub.name}: {' '.join(arguments)}", where=hub))


def one_round(hub: Path, board: bool) -> dict[str, Cost]:
    """Go through all cases in one clone."""
    shutil.rmtree(hub / "runs", ignore_errors=True)
    found = {"first": run(hub, NAME)}
    with (hub / "CONTRIBUTIONS" / NAME / "src" / "lora.py").open("a") as code:
        code.write(LINE)
    found |= {"after an edit": run(hub, NAME), "unchanged": run(hub, NAME)}
    if board:
        shutil.rmtree(hub / "runs")
        run(hub, *ROW, "--only", "reference")
        found["rows of five seeds"] = run(hub, *ROW, "--only", ",".join(BOARD))
    return found


def summary(
    before: Sequence[Mapping[str, Cost]], now: Sequence[Mapping[str, Cost]]
) -> dict[str, dict[str, Any]]:
    """Return medians of both, and the median, the least and the largest ratio, of each case."""
    cases: dict[str, dict[str, Any]] = {}
    for case in now[0]:
        for figure in ("wall_s", "cpu_s", "tree_mib"):
            olds, news = ([getattr(one[case], figure) for one in side] for side in (before, now))
            cases.setdefault(case, {})[figure] = {
                "before": round(statistics.median(olds), 2),
                "now": round(statistics.median(news), 2),
                "ratio": spread([b / a for a, b in zip(olds, news, strict=True) if a]),
            }
    return cases


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", required=True, metavar="COMMIT", help="the earlier one")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--board", action="store_true", help="rows of five seeds, too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-verdict-") as folder:
        commits = {"before": args.before, "now": "HEAD"}
        hubs = {name: clone(commit, Path(folder, name)) for name, commit in commits.items()}
        ways = {name: partial(one_round, hub, args.board) for name, hub in hubs.items()}
        found = in_turns(ways, args.rounds)
    cases = summary(found["before"], found["now"])
    for case, figures in cases.items():
        told = (
            f"{name} {one['before']} -> {one['now']} (x {one['ratio'][0]})"
            for name, one in figures.items()
        )
        print(f"{case}: {', '.join(told)}")
    record("verdict", {"rounds": args.rounds, "before": args.before, "cases": cases})


if __name__ == "__main__":
    main()
