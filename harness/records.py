"""What travels between the rooms of the hub: frozen, validated, free of torch.

Every record forbids unknown fields, so a misspelt setting is an error and never a silent default.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from pydantic import Field, field_validator, model_validator

from harness.figures import Costs, Figures, Flag, OwnPictures, SeedScores, Verdict
from harness.hookspecs import HOOK_NAMES, HookName
from harness.record_base import Fraction
from harness.record_base import Record as Record
from peft_adapters.methods import METHODS, near_names

SCHEMA_VERSION: Literal[2] = 2

# Also a Python identifier, because the folder is imported as CONTRIBUTIONS.<Name>.src.main.
NAME_PATTERN = re.compile(r"^[A-Za-z][A-Za-z0-9_]{1,38}$")

OptimizerName = Literal["adamw", "adamw8bit", "prodigy", "adafactor"]
ScheduleName = Literal["constant", "cosine", "linear"]
Precision = Literal["no", "fp16", "bf16"]

# Characters of the reason for which a contribution is let off a probe of the gate.
REASON_LENGTH = 20

# --- what the hooks are handed ------------------------------------------------------------------

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


# "lora": each linear LoRA layer as one function. "all": also 3x3 convolutions, for more memory.
FastLayers = Literal["off", "lora", "all"]


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
        default=None, description="the sampler; left out, the one that the base brings along"
    )


class GenerateConfig(GenerateSettings):
    """Settings of ``generate``."""

    height: int = Field(default=64, ge=8, multiple_of=8, description="in pixels")
    width: int = Field(default=64, ge=8, multiple_of=8, description="in pixels")
    seed: int = Field(default=0, ge=0, lt=2**31, description="picture i starts from seed + i")


class TrainResult(Record):
    """What ``train`` returns. Time and memory are measured outside, not reported from inside."""

    losses: tuple[float, ...] = Field(min_length=1, description="one per optimiser step")


# --- what a contribution says about itself ------------------------------------------------------


class Settings(Record):
    """The ``[settings.*]`` tables of contribution.toml."""

    dataset: DatasetSettings = DatasetSettings()
    lora: LoraConfig = LoraConfig()
    train: TrainSettings = TrainSettings()
    generate: GenerateSettings = GenerateSettings()


class ContractTable(Record):
    """The ``[contract]`` table of contribution.toml."""

    exempt: dict[str, str] = Field(
        default={},
        description="probes of the correctness gate that cannot hold here, each with its reason: "
        '{ "HUB-C20" = "PiSSA changes the base and restores it on export" }',
    )

    @field_validator("exempt")
    @classmethod
    def _reasons_are_given(cls, exempt: dict[str, str]) -> dict[str, str]:
        for probe, reason in exempt.items():
            if not re.fullmatch(r"HUB-C\d\d", probe):
                raise ValueError(f"{probe!r} is not a probe such as HUB-C20")
            if len(reason.strip()) < REASON_LENGTH:
                raise ValueError(f"{probe} needs a reason of at least {REASON_LENGTH} characters")
        return exempt


# Control characters, line ends, changes of direction, spaces without width, half characters. A
# TOML file can hold them as escapes, where no look at its bytes finds them.
UNSEEN = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff"
    "\\ud800-\\udfff]"
)


class ContributionFile(Record):
    """A contribution.toml, field by field."""

    name: str = Field(pattern=NAME_PATTERN.pattern, description="the folder's name")
    authors: tuple[str, ...] = Field(min_length=1, description="who wrote it")
    summary: str = Field(min_length=10, max_length=200, description="one sentence: what it changes")
    license: str = Field(default="MIT", min_length=2, description="SPDX identifier of the code")
    hooks: tuple[HookName, ...] = Field(
        default=(), description="hooks of its own; the others come from the reference"
    )
    dependencies: tuple[str, ...] = Field(
        default=(), description="extra packages, from the hub's allow-list"
    )
    based_on: tuple[str, ...] = Field(default=(), description="contributions it grew from")
    links: tuple[str, ...] = Field(default=(), description="papers and pages, https only")
    settings: Settings = Settings()
    contract: ContractTable = ContractTable()

    @field_validator("hooks")
    @classmethod
    def _each_hook_once(cls, hooks: tuple[HookName, ...]) -> tuple[HookName, ...]:
        if len(set(hooks)) != len(hooks):
            raise ValueError("each hook is listed once")
        return tuple(sorted(hooks, key=HOOK_NAMES.index))

    @field_validator("authors", "summary", "license", "links")
    @classmethod
    def _one_line_of_visible_text(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        """These stand in terminals, in CI's logs and on pages."""
        for text in (value,) if isinstance(value, str) else value:
            odd = UNSEEN.search(text)
            if odd is not None:
                raise ValueError(f"the character U+{ord(odd[0]):04X} in it cannot be seen")
        return value

    @field_validator("links")
    @classmethod
    def _links_are_https(cls, links: tuple[str, ...]) -> tuple[str, ...]:
        for link in links:
            if not link.startswith("https://"):
                raise ValueError(f"{link!r} does not start with https://")
        return links


class Contribution(Record):
    """A folder that can be run: the reference (``src``) or one under CONTRIBUTIONS/."""

    file: ContributionFile
    path: str = Field(description="folder, relative to the repository, with forward slashes")
    module: str = Field(description="dotted name of the module that registers the hooks")
    content_hash: str = Field(description="sha256 over the names and bytes of the folder's files")

    @property
    def name(self) -> str:
        """The contribution's name, which is also its folder's."""
        return self.file.name


# --- what the static check says -----------------------------------------------------------------


class Finding(Record):
    """One thing a check noticed, with its address and remedy."""

    rule: str = Field(description="identifier such as HUB012; `harness explain` documents it")
    severity: Literal["error", "hint"]
    message: str = Field(description="what is wrong, in one sentence")
    path: str = Field(description="file or folder, relative to the repository")
    line: int | None = Field(default=None, ge=1)
    fix: str = Field(description="what to do about it")
    fixable: bool = Field(default=False, description="whether `check --fix` can mend it")


# --- what a run yields --------------------------------------------------------------------------

Status = Literal["ok", "unmergeable", "failed", "timeout", "oom", "limit", "crashed", "canceled"]


class ErrorReport(Record):
    """Why a run is not ok, with the last lines of its log."""

    kind: str = Field(description="class of harness.errors")
    what: str
    where: str | None = None
    fix: str | None = None
    log_tail: tuple[str, ...] = ()


class Machine(Record):
    """Where a row was measured."""

    python: str
    packages: dict[str, str]
    system: str
    processor: str
    cores: int
    memory_gib: float
    threads: int
    sandbox: str = Field(description="isolation layer that was really active")


class ContractSummary(Record):
    """What the correctness gate found, in short."""

    passed: int = Field(ge=0, description="probes that held")
    failed: tuple[str, ...] = Field(default=(), description="probes that did not hold")
    hints: tuple[str, ...] = ()
    exempt: dict[str, str] = Field(default={}, description="probe -> the contribution's reason")


class Row(Record):
    """One result: one contribution on one track. Stored as one JSON file."""

    schema_version: Literal[2] = SCHEMA_VERSION
    track: str
    contribution: str
    authors: tuple[str, ...]
    summary: str
    own_hooks: tuple[HookName, ...]
    content_hash: str
    reference_hash: str
    protocol_hash: str = Field(
        description="over the rules, the track, its pictures and the base model"
    )
    control: bool = Field(
        default=False, description="a row of the hub's own, whose place is known beforehand"
    )
    status: Status
    error: ErrorReport | None = None
    base: Figures | None = None
    scores: tuple[SeedScores, ...] = ()
    own_pictures: tuple[OwnPictures, ...] = Field(
        default=(), description="instead of scores, when the adapter is unmergeable"
    )
    verdict: Verdict | None = None
    costs: Costs | None = None
    determinism: float | None = Field(
        default=None,
        ge=0,
        description="relative difference of the weights when the first seed is trained twice; "
        "null in a quick run",
    )
    own_difference: float | None = Field(
        default=None,
        ge=0,
        description="mean difference of pixels between its own generate and the trusted sampler",
    )
    not_measured: dict[str, str] = Field(default={}, description="figure -> why it is null")
    flags: tuple[Flag, ...] = ()
    losses: tuple[float, ...] = Field(default=(), description="training loss per step, first seed")
    trainable_parameters: int | None = None
    adapter_bytes: int | None = None
    changed_modules: int | None = Field(
        default=None, description="tensors of the base that training changed"
    )
    contract: ContractSummary | None = Field(
        default=None, description="the correctness gate; null in rows from before it"
    )
    machine: Machine
    origin: Literal["self-reported", "maintainer", "ci"] = "self-reported"
    created_at: datetime

    @model_validator(mode="after")
    def _rows_are_complete(self) -> Row:
        if self.status == "ok" and not (self.scores and self.verdict and self.base and self.costs):
            raise ValueError("a row with status ok needs base, scores, verdict and costs")
        if self.status == "unmergeable" and not (self.own_pictures and self.costs):
            raise ValueError("an unmergeable row needs own_pictures and costs")
        if self.status != "ok" and self.error is None:
            raise ValueError(f"a row with status {self.status} needs an error")
        return self
