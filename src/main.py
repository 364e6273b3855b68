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

from harness.records import DatasetConfig, GenerateConfig, LoraConfig, TrainConfig
from picture_sets.preflight import preflight

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from PIL.Image import Image
    from torch import nn

PROMPTS = ("a sks robot, on a white background", "a sks robot, on a blue background")


def parse_options(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line; the defaults are those of harness/records.py."""
    lora, training, sampling = LoraConfig(), TrainConfig(), GenerateConfig()
    parser = argparse.ArgumentParser(
        prog="python -m src.main",
        description="Fine-tune Stable Diffusion on your pictures with LoRA.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data", type=Path, default=Path("src/Dataset"), help="folder with Images, ImageCaptions")
    add("--base", default="models/tiny-sd", help="folder, .safetensors file or Hugging Face id")
    add("--out", type=Path, default=Path("runs/reference"), help="where the results go")
    add("--steps", type=int, default=training.steps, help="optimiser steps")
    add("--batch-size", type=int, default=training.batch_size, help="pictures per step")
    add("--learning-rate", type=float, default=training.learning_rate, help="of AdamW")
    add("--rank", type=int, default=lora.rank, help="inner size of the LoRA matrices")
    add("--alpha", type=float, help="numerator of the scale alpha / rank; left out = rank")
    add("--resolution", type=int, help="in pixels; left out = the size the base was trained with")
    add("--prompt", action="append", help="what to draw; may be repeated; left out = two robots")
    add("--num-inference-steps", type=int, default=sampling.num_inference_steps, help="to draw")
    add("--guidance-scale", type=float, default=sampling.guidance_scale, help="1 = no guidance")
    add("--seed", type=int, default=training.seed, help="of everything random")
    return parser.parse_args(argv)


if __name__ == "__main__":
    # The imports below wake torch, which takes seconds: --help and misspelt options come first.
    parse_options()

from base_models.identity import base_hash  # noqa: E402
from base_models.load import load_pipeline  # noqa: E402
from harness.errors import HubError  # noqa: E402
from lora_files.training import training_metadata  # noqa: E402

# The harness registers this module and finds the four hooks by these names.
from .dataset import make_dataset  # noqa: E402
from .files import save_adapter  # noqa: E402
from .generate import generate  # noqa: E402
from .lora import make_lora  # noqa: E402
from .train import train  # noqa: E402
from .utils import ProgressBar, picture_grid, replacing, seed_everything  # noqa: E402


def finetune(options: argparse.Namespace) -> None:
    """Train on a folder of pictures; write adapter.safetensors and samples.png.

    Raises:
        OSError: A folder or file is missing or cannot be written.
        ValueError: An option, picture, caption or target module is wrong.
        FloatingPointError: Training diverged.
    """
    lora_config = LoraConfig(rank=options.rank, alpha=options.alpha)
    train_config = TrainConfig(
        steps=options.steps,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=options.seed,
    )
    # Before the adapter is made: its first values are random too.
    seed_everything(options.seed)
    pipeline = load_pipeline(options.base)
    base_sha256 = base_hash(pipeline)
    native_px = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
    resolution_px = options.resolution or native_px
    generate_config = GenerateConfig(
        num_inference_steps=options.num_inference_steps,
        guidance_scale=options.guidance_scale,
        height=resolution_px,
        width=resolution_px,
        seed=options.seed,
    )

    dataset_config = DatasetConfig(seed=options.seed)
    preflight(options.data, resolution_px, dataset_config)
    dataset = make_dataset(data_dir=options.data, resolution=resolution_px, config=dataset_config)
    adapter = make_lora(pipeline=pipeline, config=lora_config)
    trainable = sum(p.numel() for p in adapter.parameters())
    print(f"{trainable:,} trainable parameters, learning rate {train_config.learning_rate:g}")

    train(
        pipeline=pipeline,
        dataset=dataset,
        adapter=adapter,
        config=train_config,
        reporter=ProgressBar(train_config.steps),
    )
    notes = training_metadata(
        lora_config,
        train_config,
        base=options.base,
        base_sha256=base_sha256,
        prediction_type=pipeline.scheduler.config.prediction_type,
        resolution_px=resolution_px,
        pictures=len(dataset),  # type: ignore[arg-type]  # torch's Dataset declares no __len__
    )
    save_adapter(adapter, options.out / "adapter.safetensors", notes)
    sheet = draw_samples(pipeline, adapter, options.prompt or PROMPTS, generate_config)
    with replacing(options.out / "samples.png") as temporary:
        sheet.save(temporary)
    print(f"{options.out / 'adapter.safetensors'}\n{options.out / 'samples.png'} (base | LoRA)")


def draw_samples(
    pipeline: StableDiffusionPipeline,
    adapter: nn.Module,
    prompts: Sequence[str],
    config: GenerateConfig,
) -> Image:
    """Return a sheet with a row for each prompt: base and LoRA, from the same noise."""
    off = config.model_copy(update={"lora_scale": 0.0})
    base = generate(pipeline=pipeline, adapter=adapter, prompts=prompts, config=off)
    tuned = generate(pipeline=pipeline, adapter=adapter, prompts=prompts, config=config)
    return picture_grid(list(zip(base, tuned, strict=True)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``finetune`` from the command line; return 0, or a message and 1 or 2."""
    options = parse_options(argv)
    try:
        finetune(options)
    except ValidationError as error:
        for fault in error.errors():
            print(f"error: {'.'.join(map(str, fault['loc']))}: {fault['msg']}", file=sys.stderr)
        return 2
    except (HubError, OSError, ValueError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; nothing half-written is left behind", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
