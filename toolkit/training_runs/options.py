"""The command line that ``python -m src.main`` and ``nox -s train`` share, and what it resolves to.

What is typed wins over the preset, the preset over the hub's defaults. What a contribution says
about itself in contribution.toml wins over the preset too: rank 2 may be its whole point.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, get_args

import psutil

from toolkit.base_models.load import is_hub_id
from toolkit.core.errors import BaseModelError, UsageError
from toolkit.core.settings import (
    DatasetConfig,
    FastLayers,
    GenerateConfig,
    LoraConfig,
    OptimizerName,
    Precision,
    ScheduleName,
    Settings,
    TrainConfig,
)
from toolkit.picture_sets.preflight import preflight

from .fingerprint import base_fingerprint, data_fingerprint
from .plan import RunPlan
from .presets import PRESETS, TINY_BELOW_PX, TINY_FACTOR, train_settings

SD_NATIVE_PX = 512
LATENT_PX = 8  # pixels per latent, in every Stable Diffusion

# Option -> field, where they are not called the same.
TRAIN_OPTIONS = (
    *("steps", "batch_size", "learning_rate", "text_encoder_learning_rate", "seed", "optimizer"),
    *("lr_schedule", "lr_warmup_steps", "caption_dropout", "min_snr_gamma", "noise_offset"),
    *("mixed_precision", "gradient_accumulation_steps", "gradient_checkpointing", "fast_layers"),
)
LORA_OPTIONS = ("rank", "alpha", "train_text_encoder")
DATASET_OPTIONS = ("flip", "repeats", "shuffle_captions", "keep_tokens", "trigger_word", "buckets")
SAMPLING_OPTIONS = ("num_inference_steps", "guidance_scale", "negative_prompt")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options; None means "not typed"."""
    add = parser.add_argument_group("pictures and base").add_argument
    add("--data", type=Path, default=Path("src/Dataset"), help="folder of pictures and captions")
    add("--base", default="models/tiny-sd", help="base model: a folder, or a Hugging Face id")
    add("--out", type=Path, help="where the results go")
    add("--resolution", type=int, help="in pixels; left out = the size the base was trained with")
    add("--cache", type=Path, help="folder that keeps latents for later runs")
    add("--flip", action=argparse.BooleanOptionalAction, help="mirror images too")
    add("--buckets", action=argparse.BooleanOptionalAction, help="keep the pictures' proportions")
    add("--repeats", type=int, help="how often a picture counts")
    add("--shuffle-captions", action=argparse.BooleanOptionalAction, help="of tags, at the commas")
    add("--keep-tokens", type=int, help="tags that stay in front")
    add("--trigger-word", help="put in front of every caption")

    add = parser.add_argument_group("training").add_argument
    presets = "; ".join(f"{name}: {preset.summary}" for name, preset in PRESETS.items())
    add("--preset", choices=PRESETS, default="subject", help=presets)
    add("--steps", type=int, help="optimiser steps; left out = from the number of pictures")
    add("--batch-size", type=int, help="pictures per step, over all processes")
    add("--learning-rate", type=float, help="of the U-Net's LoRA")
    add("--text-encoder-learning-rate", type=float, help="left out = the same")
    add("--rank", type=int, help="inner size of the LoRA matrices")
    add("--alpha", type=float, help="numerator of the scale alpha / rank; left out = rank")
    add("--train-text-encoder", action=argparse.BooleanOptionalAction, help="adapt it too")
    add("--optimizer", choices=get_args(OptimizerName))
    add("--lr-schedule", choices=get_args(ScheduleName))
    add("--lr-warmup-steps", type=int, help="steps of linear warm-up")
    add("--caption-dropout", type=float, help="share of captions left empty")
    add("--min-snr-gamma", type=float, help="min-SNR loss weights, usually 5")
    add("--noise-offset", type=float, help="for dark and bright pictures, about 0.05")
    add("--seed", type=int, help="of everything random")

    add = parser.add_argument_group("speed and memory").add_argument
    add("--device", help="cpu or cuda; left out = a graphics card when there is one")
    add("--mixed-precision", choices=get_args(Precision), help="what the base computes in")
    add("--gradient-accumulation-steps", type=int, help="parts a batch is computed in")
    add("--gradient-checkpointing", action=argparse.BooleanOptionalAction, help="half the memory")
    fast = "on a processor: lora, all (more memory) or off; left out = what wins; docs/speed.md"
    add("--fast-layers", choices=get_args(FastLayers), help=fast)
    add_keeping_options(parser)


def add_keeping_options(parser: argparse.ArgumentParser) -> None:
    """Declare what is drawn, measured and kept on the way."""
    add = parser.add_argument_group("on the way").add_argument
    add("--prompt", action="append", help="what to draw as samples; may be repeated")
    add("--num-inference-steps", type=int, help="to draw a sample")
    add("--guidance-scale", type=float, help="of the samples; 1 = no guidance")
    add("--negative-prompt", help="what the samples should not show")
    add("--sample-every", type=int, default=0, metavar="STEPS", help="0 = only at the end")
    add("--validate-every", type=int, default=0, metavar="STEPS", help="0 = never")
    add("--validation-share", type=float, default=0.0, help="share of pictures held back for it")
    add("--checkpoint-every", type=int, default=100, metavar="STEPS", help="0 = when stopped")
    add("--keep-checkpoints", type=int, default=2, help="older ones are removed")
    add("--tensorboard", action="store_true", help="write TensorBoard event files too")
    again = parser.add_mutually_exclusive_group()
    resume = "go on with the run in --out; without it that happens too, if there is one to go on"
    again.add_argument("--resume", action="store_true", help=resume)
    again.add_argument("--fresh", action="store_true", help="start over, removing what is there")


def resolve(options: argparse.Namespace, name: str, settings: Settings, out: Path) -> RunPlan:
    """Make a plan of what was typed, the preset and the contribution's own settings.

    Raises:
        DataSetError: Something is wrong with the pictures; the message lists all of it.
        BaseModelError: There is no such base.
        UsageError: ``--resume`` without anything to go on with.
        pydantic.ValidationError: A value is out of its range.
    """
    typed = {key: value for key, value in vars(options).items() if value is not None}
    if options.resume and not (out / "checkpoints").is_dir():
        raise UsageError(
            "There is no run to go on with.", where=str(out), fix="Leave --resume out."
        )
    base = Path(options.base)
    if not base.exists() and not is_hub_id(options.base):
        raise BaseModelError(
            f"There is no base model in {options.base}.",
            fix="Give the folder of a diffusers model, a .safetensors checkpoint, or a Hugging "
            "Face id such as CompVis/stable-diffusion-v1-4.",
        )
    native_px = native_size_px(base)
    resolution = options.resolution or native_px
    preset = PRESETS[options.preset]
    seed = options.seed or 0
    chosen_dataset = preset.dataset | own(settings.dataset) | pick(typed, DATASET_OPTIONS)
    dataset = DatasetConfig(**chosen_dataset, seed=seed)
    # Every picture is looked at before a model is loaded.
    pictures = preflight(options.data, resolution, dataset).found.pictures

    own_train = own(settings.train)
    if native_px >= TINY_BELOW_PX and settings.train.optimizer != "prodigy":
        # Contributions are tuned on the embedded base.
        for field in ("learning_rate", "text_encoder_learning_rate"):
            if own_train.get(field):
                own_train[field] /= TINY_FACTOR
    free_bytes = psutil.virtual_memory().available
    from_preset = train_settings(preset, len(pictures), native_px, resolution, free_bytes)
    train = TrainConfig(**(from_preset | own_train | pick(typed, TRAIN_OPTIONS)))
    if "steps" in typed and "lr_warmup_steps" not in {**own_train, **typed}:
        train = train.model_copy(update={"lr_warmup_steps": round(0.05 * train.steps)})
    chosen_sampling = settings.generate.model_dump() | pick(typed, SAMPLING_OPTIONS)
    return RunPlan(
        name=name,
        data_dir=options.data.resolve(),
        base=str(base.resolve()) if base.exists() else options.base,
        resolution=resolution,
        preset=options.preset,
        dataset=dataset,
        lora=LoraConfig(**(preset.lora | own(settings.lora) | pick(typed, LORA_OPTIONS))),
        train=train,
        sampling=GenerateConfig(**chosen_sampling, height=resolution, width=resolution, seed=seed),
        prompts=tuple(options.prompt or captions_to_draw(pictures)),
        validation_share=options.validation_share,
        validate_every=options.validate_every,
        sample_every=options.sample_every,
        checkpoint_every=options.checkpoint_every,
        keep_checkpoints=options.keep_checkpoints,
        cache_dir=options.cache.resolve() if options.cache else None,
        tensorboard=options.tensorboard,
        fingerprints={
            "pictures": data_fingerprint(options.data),
            "base": base_fingerprint(base) if base.exists() else options.base,
        },
    )


def own(settings: Any) -> dict[str, Any]:
    """Return what a contribution says about itself, without the defaults."""
    return {name: getattr(settings, name) for name in settings.model_fields_set}


def pick(typed: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the typed options of one record."""
    return {name: typed[name] for name in names if name in typed}


def native_size_px(base: Path) -> int:
    """Return the size a base was trained with; 512 where only loading it would tell."""
    try:
        config = json.loads((base / "unet" / "config.json").read_text(encoding="utf-8"))
        return int(config["sample_size"]) * LATENT_PX
    except (OSError, ValueError, KeyError, TypeError):
        return SD_NATIVE_PX


def captions_to_draw(pictures: Any) -> list[str]:
    """Return the first two different captions."""
    return list(dict.fromkeys(picture.caption for picture in pictures))[:2]
