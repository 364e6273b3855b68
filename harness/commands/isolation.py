"""The options and the words about isolation that all commands share that run a contribution."""

from __future__ import annotations

import argparse
import os

from rich.console import Console

from harness.records import Contribution
from harness.sandbox.layers import LAYERS, PROMISES, WANTED, LayerName, choose
from harness.sandbox.trust import require_trust


def add_isolation_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--isolation`` and ``--trust``."""
    parser.add_argument(
        "--isolation",
        choices=("auto", *LAYERS),
        help=f"layer to run the code in (default: the strongest that works; or {WANTED})",
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="run somebody else's unmerged code even where no layer works",
    )


def settle(args: argparse.Namespace, contribution: Contribution, console: Console) -> LayerName:
    """Choose the layer for all children of this command, and say so where none holds.

    Raises:
        EnvironmentFault: The layer asked for does not work, or is weaker than required.
        UsageError: No layer holds, and the code is a stranger's.
    """
    layer = choose(args.isolation)
    notice = require_trust(contribution, layer, trusted=args.trust)
    if notice:
        console.print(notice, style="yellow", markup=False, soft_wrap=True)
    else:
        console.print(f"Isolation: {layer} ({PROMISES[layer]}).", style="dim", soft_wrap=True)
    os.environ[WANTED] = layer  # every child of this command, the scorer too
    return layer
