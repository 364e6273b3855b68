"""What a command costs before it does anything: imports, nox, the hub's own commands.

    python -m benchmarks.commands

They take turns, ``ROUNDS`` times, after one round that does not count; the page has the median and
the quickest. An unchanged contribution is answered from the run that the first round makes.
"""

from __future__ import annotations

import shlex
import statistics
import sys
from functools import partial

from benchmarks.page import record
from benchmarks.processes import Used, in_turns, use

ROUNDS = 5
LOAD = "from toolkit.base_models.load import load_pipeline; load_pipeline('models/tiny-sd')"
# What it is -> what follows the interpreter.
COMMANDS = {
    "an interpreter that does nothing": "-c pass",
    "`import torch`": "-c 'import torch'",
    "`import diffusers`": "-c 'import diffusers'",
    "load the embedded base": f'-c "{LOAD}"',
    "load it, and leave without tearing down": f'-c "{LOAD}; import os; os._exit(0)"',
    "`python -m src.main --help`": "-m src.main --help",
    "`harness --help`": "-m harness --help",
    "`harness list`": "-m harness list",
    "`harness check Example1`": "-m harness check Example1",
    "`harness check --all`": "-m harness check --all",
    "`harness plan`": "-m harness plan",
    "`dataset check` of twelve pictures": "-m toolkit.picture_sets check src/Dataset",
    "`contribution Example1`, unchanged": "-m harness contribution Example1",
    "`harness/environment.py -m harness list`": "harness/environment.py -m harness list",
    "`nox -s list`": "-m nox -s list",
}


def main() -> None:
    """Measure, write."""
    ways = {
        what: partial(use, [sys.executable, *shlex.split(words)], what)
        for what, words in COMMANDS.items()
    }
    found = in_turns(ways, ROUNDS, warm_up=1)
    record("commands", {"rounds": ROUNDS, "commands": {n: summary(u) for n, u in found.items()}})


def summary(found: list[Used]) -> dict[str, float]:
    """Return the middle and the quickest of several runs."""
    return {
        "wall_s": round(statistics.median(one.wall_s for one in found), 3),
        "quickest_s": round(min(one.wall_s for one in found), 3),
        "cpu_s": round(statistics.median(one.cpu_s for one in found), 3),
        "peak_mib": round(max(one.peak_mib for one in found)),
    }


if __name__ == "__main__":
    main()
