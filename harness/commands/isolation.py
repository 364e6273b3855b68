"""The options and the words about isolation that all commands share that run a contribution."""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import replace

from rich.console import Console

from harness.contributions.record import Contribution
from harness.sandbox.choose import choose
from harness.sandbox.layers import LAYERS, PROMISES, WANTED, LayerName
from harness.sandbox.limits import GIB, Limits
from harness.sandbox.outcome import Outcome
from harness.sandbox.trust import require_trust
from harness.worker.jobs import Answer
from toolkit.core.errors import HubError


def add_isolation_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--isolation`` and ``--trust``."""
    add = parser.add_argument
    add(
        "--isolation",
        choices=("auto", *LAYERS),
        help=f"layer to run the code in (default: the strongest that works; or {WANTED})",
    )
    add(
        "--trust",
        action="store_true",
        help="run another contributor's unmerged code even if no isolation layer works",
    )


def add_limit_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the worker of one command may use, for those that run on any base."""
    add = parser.add_argument
    add("--hours", type=positive, metavar="H", help="limit on the code's wall time")
    add("--memory", type=positive, metavar="GIB", help="limit on its main memory")
    add("--disk", type=positive, metavar="GIB", help="limit on what it writes")


def positive(text: str) -> float:
    """Read a number above zero; argparse turns the ValueError into a message."""
    number = float(text)
    if not 0 < number < math.inf:
        raise ValueError
    return number


def chosen_limits(args: argparse.Namespace, usual: Limits) -> Limits:
    """Return the usual limits of a job with those changed that were typed."""
    limits = usual
    if args.hours is not None:
        wall_s = args.hours * 3600
        limits = replace(limits, wall_s=wall_s, cpu_s=usual.cpu_s / usual.wall_s * wall_s)
    if args.memory is not None:
        limits = replace(limits, memory_bytes=int(args.memory * GIB))
    if args.disk is not None:
        limits = replace(limits, disk_bytes=int(args.disk * GIB))
    return limits


def fault_of(outcome: Outcome[Answer] | None) -> HubError:
    """Return why a worker with limits that the user chose left no result."""
    error = outcome.error if outcome else None
    if outcome is None or error is None:
        return HubError("The worker was stopped early.")
    fix = error.fix
    if outcome.status in ("timeout", "oom", "limit"):
        fix = f"{fix or ''} Or allow more: --hours, --memory or --disk.".strip()
    return HubError(error.what, where=error.where, fix=fix)


def settle(args: argparse.Namespace, contribution: Contribution, console: Console) -> LayerName:
    """Choose the layer for all children of this command, and say so where none holds.

    Raises:
        EnvironmentFault: The layer asked for does not work, or is weaker than required.
        UsageError: No layer holds, and the code is a stranger's.
    """
    layer = choose(args.isolation)
    notices = [require_trust(one, layer, trusted=args.trust) for one in contribution.folders]
    for notice in filter(None, notices):
        console.print(notice, style="yellow", markup=False, soft_wrap=True)
    if not any(notices):
        console.print(f"Isolation: {layer} ({PROMISES[layer]}).", style="dim", soft_wrap=True)
    os.environ[WANTED] = layer  # every child of this command, the scorer too
    return layer
