"""The command line of ``python -m src.main``; imports torch only after its options are read."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from toolkit.core.command_line import exit_code
from toolkit.core.config_file import expanded
from toolkit.core.errors import EnvironmentFault, HubError
from toolkit.core.parser import Parser
from toolkit.core.settings import Settings

from .fields import OPTION_OF
from .options import add_options, resolve
from .own_folder import alone, clear
from .plan import RunPlan

OUT = Path("runs/reference")
TABLE = "train"  # of a --config file

# Trains what the plan says on a device and leaves the results in a folder.
Finetune = Callable[[RunPlan, Path, str], None]


def parse_options(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line; None means "not typed"."""
    parser = Parser(
        prog="python -m src.main",
        description="Fine-tune Stable Diffusion on your pictures with LoRA.",
    )
    add_options(parser)
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        words = expanded(words, TABLE, parser)
    except HubError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    return parser.parse_args(words)


def main(finetune: Finetune, argv: Sequence[str] | None = None) -> int:
    """Resolve the options and call ``finetune``; return 0, or a message and 1, 2 or 130."""
    options = parse_options(argv)

    def command() -> int:
        train(finetune, options)
        return 0

    return exit_code(
        command, stopped="Stopped. Nothing half-written is left behind.", options=OPTION_OF
    )


def train(finetune: Finetune, options: argparse.Namespace) -> None:
    """Resolve the options into a plan and carry it out.

    Raises:
        HubError: A folder, base or device is at fault, or memory ran out: then the message says
            what to try.
    """
    from toolkit.base_models.device import pick_device

    from . import memory
    from .run import is_main_process

    out: Path = options.out or OUT
    plan = resolve(options, "reference", Settings(), out)
    device = pick_device(options.device)
    try:
        # Of several processes the first one writes.
        with alone(out) if is_main_process() else contextlib.nullcontext():
            if options.fresh and is_main_process():
                clear(out)
            finetune(plan, out, device)
    except (RuntimeError, MemoryError) as error:
        if not memory.is_out_of_memory(error):
            raise  # a fault of the program: its traceback is wanted
        on_card = device.startswith("cuda")
        advice = memory.next_thing_to_try(plan.train, plan.resolution, on_card=on_card)
        raise EnvironmentFault(f"out of memory. Try {advice}.") from error
