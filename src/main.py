"""Start reading here: a picture folder in, a LoRA file and sample pictures out.

    python -m src.main --data src/Dataset --prompt "a sks robot on a beach"

The way of one run is the body of `finetune` below; each of its steps has a file of its own, here in
the order to read them:

    dataset.py   pictures and captions  ->  tensors
    lora.py      the small trainable correction beside the frozen layers
    targets.py   which layers those are
    strength.py  scale the correction, switch it off, merge it into the weights
    encode.py    pictures to latents, captions to embeddings, by the frozen VAE and text encoder
    train.py     the loop: add noise, predict it, improve the correction
    draws.py     everything random about one step of that loop
    generate.py  draw with the result
    files.py     write the LoRA as a file that other programs load

The hub runs the same four steps itself; for it, this module only has to know the four hooks.
"""

from __future__ import annotations

if not __package__:
    raise SystemExit("Run from the repository root: python -m src.main")

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from toolkit.core.errors import HubError
from toolkit.core.settings import GenerateConfig, Settings
from toolkit.training_runs.options import add_options, resolve
from toolkit.training_runs.plan import RunPlan

if TYPE_CHECKING:
    from PIL.Image import Image

OUT = Path("runs/reference")


def parse_options(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line; None means "not typed"."""
    parser = argparse.ArgumentParser(
        prog="python -m src.main",
        description="Fine-tune Stable Diffusion on your pictures with LoRA.",
    )
    add_options(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    # The imports below import torch, which takes seconds: --help and misspelt options come first.
    parse_options()

from toolkit.base_models.identity import base_hash  # noqa: E402
from toolkit.base_models.load import load_pipeline  # noqa: E402
from toolkit.training_runs import memory  # noqa: E402
from toolkit.training_runs.line import Line  # noqa: E402
from toolkit.training_runs.run import (  # noqa: E402
    Run,
    Stopped,
    announce,
    clear,
    is_main_process,
    pick_device,
)
from toolkit.training_runs.validation import split_dataset  # noqa: E402

# The harness registers this module and finds the four hooks by these names.
from .dataset import make_dataset  # noqa: E402
from .files import save_adapter  # noqa: E402
from .generate import generate  # noqa: E402
from .lora import make_lora  # noqa: E402
from .train import train  # noqa: E402
from .utils import seed_everything  # noqa: E402


def finetune(plan: RunPlan, out: Path, device: str) -> None:
    """Train on a folder of pictures; write adapter.safetensors and samples.png.

    Raises:
        OSError: A folder or file is missing or cannot be written.
        ValueError: An option, picture, caption or target module is wrong.
        FloatingPointError: Training diverged.
        Stopped: The user pressed Ctrl-C; a checkpoint is on disk.
    """
    # Before the adapter is made: its first values are random too.
    seed_everything(plan.train.seed)
    pipeline = load_pipeline(plan.base)
    base_sha256 = base_hash(pipeline)
    pipeline.to(device)
    dataset = make_dataset(data_dir=plan.data_dir, resolution=plan.resolution, config=plan.dataset)
    adapter = make_lora(pipeline=pipeline, config=plan.lora)
    seen, grid = split_dataset(dataset, plan.validation_share, plan.train.seed)

    def draw(prompts: Sequence[str], config: GenerateConfig) -> list[Image]:
        return generate(pipeline=pipeline, adapter=adapter, prompts=prompts, config=config)

    line = Line(plan.train.steps)
    if is_main_process():
        line.say(plan.summary())
        announce(plan, pipeline, adapter, line.say)
    with Run(plan, out, pipeline, adapter, grid, draw, line) as run:
        # The run hears of each step: log, samples, validation and checkpoints are its work.
        train(pipeline=pipeline, dataset=seen, adapter=adapter, config=plan.train, reporter=run)
        if run.is_main:
            notes = plan.notes(pipeline, base_sha256, seen)
            save_adapter(adapter, out / "adapter.safetensors", notes)
            sheet = run.finish()
            print(f"{out / 'adapter.safetensors'}\n{sheet} (base | LoRA)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``finetune`` from the command line; return 0, or a message and 1, 2 or 130."""
    options = parse_options(argv)
    out: Path = options.out or OUT
    try:
        plan = resolve(options, "reference", Settings(), out)
        device = pick_device(options.device)
        if options.fresh:
            clear(out)
        finetune(plan, out, device)
    except ValidationError as error:
        for fault in error.errors():
            print(f"error: {'.'.join(map(str, fault['loc']))}: {fault['msg']}", file=sys.stderr)
        return 2
    except HubError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except Stopped as stop:
        print(f"\n{stop}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("\nStopped. Nothing half-written is left behind.", file=sys.stderr)
        return 130
    except (OSError, ValueError, RuntimeError, FloatingPointError) as error:
        if memory.is_out_of_memory(error):
            advice = memory.next_thing_to_try(
                plan.train, plan.resolution, on_card=device.startswith("cuda")
            )
            print(f"error: out of memory. Try {advice}.", file=sys.stderr)
        elif isinstance(error, RuntimeError):
            raise  # a fault of the program: its traceback is wanted
        else:
            print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
