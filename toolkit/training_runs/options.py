"""The command line that ``python -m src.main`` and ``nox -s train`` share, and what it resolves to.

What is typed wins over the preset, the preset over the hub's defaults. What a contribution says
about itself in contribution.toml wins over the preset too: rank 2 may be its whole point.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

import psutil

from toolkit.base_models.device import device_name
from toolkit.base_models.family import refuse_other_families
from toolkit.base_models.load import locate
from toolkit.base_models.timesteps import refuse_steps
from toolkit.core.config_file import add_config_option
from toolkit.core.errors import UsageError
from toolkit.core.idle import refuse_idle
from toolkit.core.native_size import native_size_px
from toolkit.core.parser import Once
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
from toolkit.lora_files.header import read_header
from toolkit.picture_sets.preflight import preflight

from .fields import DATASET_OPTIONS, LORA_OPTIONS, SAMPLING_OPTIONS, TRAIN_OPTIONS
from .fingerprint import base_fingerprint, picture_digests, sampled
from .own_folder import claim
from .plan import RunPlan
from .presets import PRESETS, TINY_BELOW_PX, TINY_FACTOR, train_settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options; None means "not typed"."""
    add = parser.add_argument_group("pictures and base").add_argument
    data = "folder of pictures and captions"
    add("--data", action=Once, type=Path, default=Path("src/Dataset"), help=data)
    add("--base", default="models/tiny-sd", help="base model: a folder, or a Hugging Face id")
    add("--out", type=Path, help="where the results go")
    add_config_option(parser)
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
    add("--init", type=Path, metavar="FILE", help="LoRA file to start from, of any trainer")
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
    device = "cpu, cuda, cuda:1 or mps; left out = a graphics card when there is one"
    add("--device", type=device_name, help=device)
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
    claim(out, options.data)
    if options.resume and not any([*out.glob("checkpoints"), *out.glob("job-*/checkpoints")]):
        raise UsageError(
            "There is no run to go on with.", where=str(out), fix="Leave --resume out."
        )
    base = locate(options.base)  # fetched now if it is on the Hub: what it is decides the settings
    refuse_other_families(base)
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
    started = init_settings(options.init) if options.init else {}
    lora = LoraConfig(**(preset.lora | own(settings.lora) | started | pick(typed, LORA_OPTIONS)))
    if started.get("rank", lora.rank) != lora.rank:
        raise UsageError(
            f"{options.init.name} has rank {started['rank']}, and --rank is {lora.rank}.",
            where=str(options.init),
            fix="Leave --rank out; `nox -s lora -- resize` makes a file of another rank.",
        )
    refuse_idle(idle_options(typed, dataset, lora, train, options))
    chosen_sampling = settings.generate.model_dump() | pick(typed, SAMPLING_OPTIONS)
    drawn = GenerateConfig(**chosen_sampling, height=resolution, width=resolution, seed=seed)
    refuse_steps(drawn, base)
    return RunPlan(
        name=name,
        data_dir=options.data.resolve(),
        base=str(base.resolve()) if Path(options.base).exists() else options.base,
        resolution=resolution,
        preset=options.preset,
        dataset=dataset,
        lora=lora,
        train=train,
        sampling=drawn,
        prompts=tuple(options.prompt or captions_to_draw(pictures)),
        validation_share=options.validation_share,
        validate_every=options.validate_every,
        sample_every=options.sample_every,
        checkpoint_every=options.checkpoint_every,
        keep_checkpoints=options.keep_checkpoints,
        cache_dir=options.cache.resolve() if options.cache else None,
        tensorboard=options.tensorboard,
        init=options.init.resolve() if options.init else None,
        fingerprints={
            "base": base_fingerprint(base),
            "init": sampled(options.init) if options.init else "",
        },
        pictures=picture_digests(pictures, options.data),
    )


def own(settings: Any) -> dict[str, Any]:
    """Return what a contribution says about itself, without the defaults."""
    return {name: getattr(settings, name) for name in settings.model_fields_set}


def pick(typed: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the typed options of one record."""
    return {name: typed[name] for name in names if name in typed}


def init_settings(file: Path) -> dict[str, Any]:
    """Return rank and alpha of a LoRA file, as far as its header says them.

    Raises:
        HubError: It is no LoRA file.
    """
    if file.is_dir():
        raise UsageError(
            "A training starts from a LoRA file, and this is a folder.",
            where=str(file),
            fix=f"If it is PEFT's: nox -s lora -- convert {file} --out start.safetensors",
        )
    shapes = {name: entry.shape for name, entry in read_header(file).tensors.items()}
    downs = (".lora_down.weight", ".lora_A.weight", ".lora.down.weight")
    ranks = {shape[0] for name, shape in shapes.items() if name.endswith(downs)}
    if not ranks:
        raise UsageError(
            "The file is no LoRA, so no training can start from it.",
            where=str(file),
            fix="nox -s lora -- inspect FILE says what is in a file.",
        )
    return {"rank": ranks.pop()} if len(ranks) == 1 else {}


def idle_options(
    typed: dict[str, Any],
    dataset: DatasetConfig,
    lora: LoraConfig,
    train: TrainConfig,
    options: argparse.Namespace,
) -> dict[str, bool]:
    """Return what would give typed options an effect, and whether it is missing."""
    share, warm_up = options.validation_share, train.lr_warmup_steps
    sampled_away = train.steps and options.sample_every > train.steps
    return {
        "--text-encoder-learning-rate needs --train-text-encoder": (
            "text_encoder_learning_rate" in typed and not lora.train_text_encoder
        ),
        "--validation-share holds pictures back and needs --validate-every N to use them": (
            share > 0 and not options.validate_every
        ),
        f"a warm-up of {warm_up} steps is not shorter than the run of {train.steps}: the learning "
        "rate would never be reached": warm_up >= train.steps > 1,
        f"--fast-layers {train.fast_layers} needs --mixed-precision no: they are float32": (
            typed.get("fast_layers", "off") != "off" and train.mixed_precision != "no"
        ),
        "--keep-tokens needs --shuffle-captions": (
            "keep_tokens" in typed and dataset.keep_tokens > 0 and not dataset.shuffle_captions
        ),
        "--negative-prompt needs a --guidance-scale above 1": bool(
            typed.get("negative_prompt") and typed.get("guidance_scale", 3.0) <= 1
        ),
        f"--sample-every {options.sample_every} is more than the {train.steps} steps of the run": (
            bool(sampled_away)
        ),
        f"--validate-every {options.validate_every} is more than the {train.steps} steps of the "
        "run": options.validate_every > train.steps,
    }


def captions_to_draw(pictures: Any) -> list[str]:
    """Return the first two different captions."""
    return list(dict.fromkeys(picture.caption for picture in pictures))[:2]
