"""Start reading here: a picture folder in, a LoRA file and sample pictures out.

    python -m src.main --data src/Dataset --prompt "a sks robot on a beach"

`finetune` below is one whole run. Each of its steps has a file of its own. Read them in this order:

    dataset.py   pictures and captions  ->  tensors
    lora.py      the small trainable correction beside chosen layers of the frozen model
    train.py     the loop: add noise, predict it, improve the correction
    generate.py  draw with the result
    utils.py     seeds
    scraping.py  where pictures can come from

Everything else (command line, checkpoints, logs, caches, devices, file formats) is in the folder
`toolkit`. A comment beside each call says what it does, so you do not need to look there.

The hub runs the same four steps itself; for it, this module only has to know the four hooks.
"""

from __future__ import annotations

if not __package__:
    raise SystemExit("Run from the repository root: python -m src.main")

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core.settings import GenerateConfig
from toolkit.training_runs import command_line
from toolkit.training_runs.plan import RunPlan

if TYPE_CHECKING:
    from PIL.Image import Image

if __name__ == "__main__":
    # The imports below load torch, which takes seconds, so --help and typing errors come first.
    command_line.parse_options()

from toolkit.base_models.identity import base_hash
from toolkit.base_models.load import load_pipeline
from toolkit.lora_files.adapters import save_adapter
from toolkit.training_runs.line import Line
from toolkit.training_runs.run import Run, announce, is_main_process
from toolkit.training_runs.validation import split_dataset

# The harness registers this module and finds the four hooks by these names.
from .dataset import make_dataset
from .generate import generate
from .lora import make_lora
from .train import train
from .utils import seed_everything


def finetune(plan: RunPlan, out: Path, device: str) -> None:
    """Train on a folder of pictures; write adapter.safetensors and samples.png.

    Args:
        plan: Every setting, from the command line, the preset and the hub's defaults.
        out: Folder for the results.
        device: cpu or cuda.

    Raises:
        OSError: A folder or file is missing or cannot be written.
        ValueError: An option, picture, caption or target module is wrong.
        FloatingPointError: Training diverged.
        KeyboardInterrupt: The user pressed Ctrl-C; a checkpoint is on disk.
    """
    # Before the adapter is made: its first values are random too.
    seed_everything(plan.train.seed)
    # The base: a text encoder, a VAE, a U-Net and a noise scheduler, all trained by somebody else.
    pipeline = load_pipeline(plan.base)
    base_sha256 = base_hash(pipeline)
    pipeline.to(device)
    dataset = make_dataset(data_dir=plan.data_dir, resolution=plan.resolution, config=plan.dataset)
    adapter = make_lora(pipeline=pipeline, config=plan.lora)
    # We train on `seen` and validate on `grid`. Both are the whole dataset, unless the plan holds
    # some pictures back.
    seen, grid = split_dataset(dataset, plan.validation_share, plan.train.seed)

    def draw(prompts: Sequence[str], config: GenerateConfig) -> list[Image]:
        return generate(pipeline=pipeline, adapter=adapter, prompts=prompts, config=config)

    line = Line(plan.train.steps)  # the progress line
    if is_main_process():
        line.say(plan.summary())
        announce(plan, pipeline, adapter, line.say)  # how much is trained, how much memory it needs
    # `train` reports each step to `run`, which writes log, samples, validation and checkpoints.
    with Run(plan, out, pipeline, adapter, grid, draw, line) as run:
        train(pipeline=pipeline, dataset=seen, adapter=adapter, config=plan.train, reporter=run)
        if run.is_main:
            # A, B and alpha of each layer and nothing of the base: a few megabytes, in the format
            # that A1111, ComfyUI and diffusers read; with notes on how it was trained.
            notes = plan.notes(pipeline, base_sha256, seen)
            save_adapter(adapter, out / "adapter.safetensors", notes)
            sheet = run.finish()
            print(f"{out / 'adapter.safetensors'}\n{sheet} (base | LoRA)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``finetune`` from the command line; return 0, or a message and 1, 2 or 130."""
    return command_line.main(finetune, argv)


if __name__ == "__main__":
    raise SystemExit(main())
