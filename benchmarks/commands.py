"""What a command costs before it does anything: imports, nox, the hub's own commands.

    python -m benchmarks.commands

They take turns, ``ROUNDS`` times; the page has the median and the quickest. An answer from before
(an unchanged contribution) is measured on a run that is made first, if there is none.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import Used, use
from harness import paths
from harness.protocol.machine import describe_machine
from toolkit.core import atomic

FIGURES = paths.ROOT / "benchmarks" / "results" / "commands.json"
ROUNDS = 5
LOAD = "from toolkit.base_models.load import load_pipeline; load_pipeline('models/tiny-sd')"


@dataclass(frozen=True)
class Command:
    """Something that is typed.

    Args:
        what: For the table.
        arguments: What follows the interpreter.
        first: What has to have been run before, once.
    """

    what: str
    arguments: tuple[str, ...]
    first: tuple[str, ...] = ()


def python(what: str, code: str) -> Command:
    """Return a line of Python as a command."""
    return Command(what, ("-c", code))


def harness(what: str, *words: str, first: Iterable[str] = ()) -> Command:
    """Return a harness command."""
    return Command(what, ("-m", "harness", *words), tuple(first))


ENVIRONMENT = "harness/environment.py"
EXAMPLE = ("contribution", "Example1")
COMMANDS = (
    python("an interpreter that does nothing", "pass"),
    python("`import torch`", "import torch"),
    python("`import diffusers`", "import diffusers"),
    python("load the embedded base", LOAD),
    python("load it, and leave without tearing down", f"{LOAD}; import os; os._exit(0)"),
    Command("`python -m src.main --help`", ("-m", "src.main", "--help")),
    harness("`harness --help`", "--help"),
    harness("`harness list`", "list"),
    harness("`harness check Example1`", "check", "Example1"),
    harness("`harness check --all`", "check", "--all"),
    harness("`harness plan`", "plan"),
    Command(
        "`dataset check` of twelve pictures", ("-m", "toolkit.picture_sets", "check", "src/Dataset")
    ),
    harness("`contribution Example1`, unchanged", *EXAMPLE, first=("-m", "harness", *EXAMPLE)),
    Command("`harness/environment.py -m harness list`", (ENVIRONMENT, "-m", "harness", "list")),
    Command("`nox -s list`", ("-m", "nox", "-s", "list")),
)


def main() -> int:
    """Measure, write."""
    found: dict[str, list[Used]] = {one.what: [] for one in COMMANDS}
    with tempfile.TemporaryDirectory(prefix="hub-benchmark-") as temporary:
        log = Path(temporary) / "log"
        for one in COMMANDS:
            if one.first:
                measured(one.what, one.first, log)
        for _ in range(ROUNDS):
            for one in COMMANDS:
                found[one.what].append(measured(one.what, one.arguments, log))
                print(one.what, f"{found[one.what][-1].wall_s:.2f} s", flush=True)
    known = {
        "rounds": ROUNDS,
        "machine": describe_machine(1, "none").model_dump(),
        "commands": {what: summary(used) for what, used in found.items()},
    }
    atomic.write_text(FIGURES, json.dumps(known, indent=1) + "\n")
    atomic.write_text(FIGURES.with_suffix(".md"), render(known))
    return 0


def measured(what: str, arguments: Iterable[str], log: Path) -> Used:
    """Run one command.

    Raises:
        SystemExit: It failed; with the end of what it printed.
    """
    used = use([sys.executable, *arguments], log)
    if used.code != 0:
        raise SystemExit(f"{what} failed:\n{used.output[-2000:]}")
    return used


def summary(found: list[Used]) -> dict[str, float]:
    """Return the middle and the quickest of several runs."""
    return {
        "wall_s": round(statistics.median(one.wall_s for one in found), 3),
        "quickest_s": round(min(one.wall_s for one in found), 3),
        "cpu_s": round(statistics.median(one.cpu_s for one in found), 3),
        "peak_mib": round(max(one.peak_mib for one in found)),
    }


def render(known: dict[str, Any]) -> str:
    """Return the results as a page."""
    machine = known["machine"]
    lines = [
        "# Commands",
        "",
        "Written by `python -m benchmarks.commands`; do not edit. From the start of the process "
        f"until it is gone, teardown included; medians of {known['rounds']} rounds in turns. "
        f"{machine['processor']}, torch {machine['packages']['torch']}, one thread.",
        "",
        "| command | wall s | quickest | processor s | peak MiB |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {what} | {one['wall_s']:.2f} | {one['quickest_s']:.2f} | {one['cpu_s']:.2f} | "
        f"{one['peak_mib']} |"
        for what, one in known["commands"].items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
