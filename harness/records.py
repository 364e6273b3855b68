"""What travels between the rooms of the hub: frozen, validated, free of torch.

Every record forbids unknown fields, so a misspelt setting is an error and never a silent default.
The records of contributions and of their settings are in modules of their own and passed on here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, field_validator, model_validator

from harness.contribution_record import NAME_PATTERN as NAME_PATTERN
from harness.contribution_record import REASON_LENGTH as REASON_LENGTH
from harness.contribution_record import REFERENCE_NAME as REFERENCE_NAME
from harness.contribution_record import ContractTable as ContractTable
from harness.contribution_record import Contribution as Contribution
from harness.contribution_record import ContributionFile as ContributionFile
from harness.contribution_record import MixTable as MixTable
from harness.contribution_record import NeedsTable as NeedsTable
from harness.figures import Costs, Figures, Flag, OwnPictures, SeedScores, Verdict
from harness.hookspecs import HOOK_NAMES, HookName
from harness.record_base import Record as Record
from harness.settings import TARGET_PRESETS as TARGET_PRESETS
from harness.settings import DatasetConfig as DatasetConfig
from harness.settings import DatasetSettings as DatasetSettings
from harness.settings import FastLayers as FastLayers
from harness.settings import GenerateConfig as GenerateConfig
from harness.settings import GenerateSettings as GenerateSettings
from harness.settings import LoraConfig as LoraConfig
from harness.settings import OptimizerName as OptimizerName
from harness.settings import Precision as Precision
from harness.settings import ScheduleName as ScheduleName
from harness.settings import SchedulerName as SchedulerName
from harness.settings import Settings as Settings
from harness.settings import TrainConfig as TrainConfig
from harness.settings import TrainResult as TrainResult
from harness.settings import TrainSettings as TrainSettings

SCHEMA_VERSION: Literal[3] = 3


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

    schema_version: Literal[3] = SCHEMA_VERSION
    track: str
    contribution: str
    authors: tuple[str, ...]
    summary: str
    origins: dict[HookName, str] = Field(
        description="hook -> whose code ran: a contribution, or `reference`"
    )
    settings_from: dict[HookName, tuple[str, ...]] = Field(
        default={}, description="hook -> whose settings; the last wins; none: the hub's defaults"
    )
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

    @property
    def own_hooks(self) -> tuple[HookName, ...]:
        """The hooks of its own code."""
        return tuple(hook for hook in HOOK_NAMES if self.origins[hook] == self.contribution)

    @field_validator("origins")
    @classmethod
    def _every_hook_has_an_origin(cls, origins: dict[HookName, str]) -> dict[HookName, str]:
        if set(origins) != set(HOOK_NAMES):
            raise ValueError(f"origins names each of {', '.join(HOOK_NAMES)}")
        return origins

    @model_validator(mode="after")
    def _rows_are_complete(self) -> Row:
        if self.status == "ok" and not (self.scores and self.verdict and self.base and self.costs):
            raise ValueError("a row with status ok needs base, scores, verdict and costs")
        if self.status == "unmergeable" and not (self.own_pictures and self.costs):
            raise ValueError("an unmergeable row needs own_pictures and costs")
        if self.status != "ok" and self.error is None:
            raise ValueError(f"a row with status {self.status} needs an error")
        return self
