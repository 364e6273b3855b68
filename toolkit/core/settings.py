"""The settings of the hooks: one record per hook, and the part that a contribution may set."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from pydantic import Field, field_validator, model_validator

from toolkit.core.peft_methods import METHODS, near_names
from toolkit.core.record import Fraction, Record

OptimizerName = Literal["adamw", "adamw8bit", "prodigy", "adafactor"]
ScheduleName = Literal["constant", "cosine", "linear"]
Precision = Literal["no", "fp16", "bf16"]
# "lora": each linear LoRA layer as one function. "all": also 3x3 convolutions, for more memory.
FastLayers = Literal["off", "lora", "all"]

_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_TRANSFORMER = (*_ATTENTION, "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")

# Names for sets of layers in the U-Net: the endings that each stands for. In SD 1.x:
TARGET_PRESETS: dict[str, tuple[str, ...]] = {
    "attention": _ATTENTION,  # 128 layers, what most example scripts train
    "attention+mlp": _TRANSFORMER,  # 192, all of the Transformer blocks, as kohya's trainer does
    # 278, the ResNets and samplers too. A U-Net has four more, 282: conv_in, conv_out and the two
    # of time_embedding, which every pixel and step goes through; no trainer adapts them by default.
    "all": (
        *_TRANSFORMER,
        *("conv1", "conv2", "conv_shortcut", "time_emb_proj"),
        *("downsamplers.0.conv", "upsamplers.0.conv"),
    ),
}


class DatasetSettings(Record):
    """The part of the data set's settings that a contribution may choose."""

    repeats: int = Field(default=1, ge=1, le=1000, description="items made of each picture")
    flip: bool = Field(default=False, description="add each item's mirror image as another item")
    shuffle_captions: bool = Field(
        default=False, description="put comma-separated tags into another order in each item"
    )
    keep_tokens: int = Field(
        default=0, ge=0, description="tags at the start of a caption that shuffling leaves alone"
    )
    trigger_word: str = Field(
        default="", max_length=100, description="put in front of captions that lack it"
    )
    buckets: bool = Field(
        default=False, description="keep each picture's shape as well as possible; no squares"
    )

    @field_validator("trigger_word")
    @classmethod
    def _one_clean_line(cls, word: str) -> str:
        if word != " ".join(word.split()) or "," in word:
            raise ValueError("a trigger word has no commas, line ends or spaces at its ends")
        return word


class DatasetConfig(DatasetSettings):
    """Settings of ``make_dataset``."""

    seed: int = Field(default=0, ge=0, lt=2**31, description="of the shuffled captions")


class LoraConfig(Record):
    """Settings of ``make_lora``."""

    method: str = Field(
        default="own",
        description="own = the LoRA of the code that runs; in the reference also a PEFT method",
    )
    options: dict[str, bool | int | float | str] = Field(
        default={}, description="further arguments of the PEFT method"
    )
    rank: int = Field(default=4, ge=1, le=256, description="inner size r of the two LoRA matrices")
    alpha: float | None = Field(
        default=None, gt=0, description="numerator of the scale alpha / rank; empty means = rank"
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of a correction's input that training hides"
    )
    target_modules: tuple[str, ...] = Field(
        default=("attention+mlp",),
        min_length=1,
        description="a layer is adapted when its dotted name ends with one of these; or a preset: "
        "attention, attention+mlp, all",
    )
    train_text_encoder: bool = Field(
        default=False, description="whether the text encoder gets a LoRA too"
    )

    @model_validator(mode="after")
    def _method_is_known(self) -> LoraConfig:
        if self.method == "own":
            if self.options:
                raise ValueError("options belong to a PEFT method; the hub's own LoRA has none")
        elif self.method not in METHODS:
            known = ", ".join(near_names(self.method) or METHODS)
            raise ValueError(f"method {self.method!r} is none of: own, {known}")
        return self

    @property
    def target_endings(self) -> tuple[str, ...]:
        """The target modules with presets written out, each ending once."""
        endings = (TARGET_PRESETS.get(name, (name,)) for name in self.target_modules)
        return tuple(dict.fromkeys(ending for group in endings for ending in group))

    @property
    def effective_alpha(self) -> float:
        """Alpha with the default resolved: equal to the rank, so that the scale is 1."""
        return float(self.rank) if self.alpha is None else self.alpha


class TrainSettings(Record):
    """The part of the training settings that a contribution may choose."""

    # Right for the embedded base at 64 px; the real SD 1.4 wants about a tenth of it (1e-4).
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="of the U-Net")
    text_encoder_learning_rate: float | None = Field(
        default=None, gt=0, le=1, description="of the text encoder; empty means the same"
    )
    weight_decay: float = Field(default=1e-2, ge=0, description="of the optimiser")
    max_grad_norm: float = Field(default=1.0, gt=0, description="gradients are clipped to it")
    optimizer: OptimizerName = Field(
        default="adamw", description="the last three need a package more, see docs/training.md"
    )
    lr_schedule: ScheduleName = Field(default="constant", description="after the warm-up")
    lr_warmup_steps: int = Field(default=0, ge=0, description="steps of linear warm-up")
    caption_dropout: Fraction = Field(default=0.1, description="share of captions left empty")
    min_snr_gamma: float | None = Field(
        default=None, gt=0, description="min-SNR loss weights, usually 5; empty means all equal"
    )
    noise_offset: float = Field(
        default=0.0, ge=0, le=1, description="noise added to whole channels, for dark pictures"
    )


class TrainConfig(TrainSettings):
    """Settings of ``train``: the contribution's choice plus the budget that the track owns.

    How a step is computed (accumulation, precision, checkpointing, processes) does not change what
    it is: always one update from ``batch_size`` pictures.
    """

    steps: int = Field(default=200, ge=1, description="optimiser steps")
    batch_size: int = Field(default=4, ge=1, description="pictures per step, over all processes")
    seed: int = Field(default=0, ge=0, lt=2**31, description="of noise, timesteps and order")
    gradient_accumulation_steps: int = Field(
        default=1, ge=1, description="parts a batch is computed in, to need less memory"
    )
    mixed_precision: Precision = Field(
        default="no", description="what the base computes in; the adapter stays float32"
    )
    gradient_checkpointing: bool = Field(
        default=False, description="compute activations twice instead of keeping them"
    )
    fast_layers: FastLayers = Field(
        default="off", description="compute LoRA layers, or these and convolutions, in a fast form"
    )


SchedulerName = Literal["pndm", "ddim", "euler", "euler_a", "dpm++_2m", "lms", "heun", "unipc"]


class GenerateSettings(Record):
    """The part of the sampling settings that a contribution may choose."""

    num_inference_steps: int = Field(default=30, ge=1, le=1000, description="denoising steps")
    guidance_scale: float = Field(default=3.0, ge=0, description="1 switches guidance off")
    negative_prompt: str = Field(default="", description="what the picture should not show")
    lora_scale: float = Field(default=1.0, description="strength of the adapter; 0 is the base")
    scheduler: SchedulerName | None = Field(
        default=None,
        description="the sampler; left out, the one that the base brings along; lms needs scipy",
    )

    @field_validator("scheduler")
    @classmethod
    def _has_what_it_needs(cls, name: SchedulerName | None) -> SchedulerName | None:
        # No part of the hub: transformers would import it in every program that loads a model.
        if name == "lms" and find_spec("scipy") is None:
            raise ValueError(
                "lms needs the package scipy: python harness/environment.py -m pip install scipy"
            )
        return name


class GenerateConfig(GenerateSettings):
    """Settings of ``generate``."""

    height: int = Field(default=64, ge=8, multiple_of=8, description="in pixels")
    width: int = Field(default=64, ge=8, multiple_of=8, description="in pixels")
    seed: int = Field(default=0, ge=0, lt=2**31, description="picture i starts from seed + i")


class TrainResult(Record):
    """What ``train`` returns. Time and memory are measured outside, not reported from inside."""

    losses: tuple[float, ...] = Field(min_length=1, description="one per optimiser step")


# Hook -> the table [settings.<name>] that goes with it.
TABLES: dict[HookName, str] = {
    "make_dataset": "dataset",
    "make_lora": "lora",
    "train": "train",
    "generate": "generate",
}


class Settings(Record):
    """The ``[settings.*]`` tables of contribution.toml."""

    dataset: DatasetSettings = DatasetSettings()
    lora: LoraConfig = LoraConfig()
    train: TrainSettings = TrainSettings()
    generate: GenerateSettings = GenerateSettings()

    def of(self, hook: HookName) -> Record:
        """Return the table that goes with a hook."""
        table: Record = getattr(self, TABLES[hook])
        return table


HookName = Literal["make_dataset", "make_lora", "train", "generate"]


HOOK_NAMES: tuple[HookName, ...] = ("make_dataset", "make_lora", "train", "generate")


# What rows, headers and recipes call the code in src/.
REFERENCE_NAME = "reference"
