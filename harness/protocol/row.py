"""The row: one result, one contribution on one track, stored as one JSON file."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, field_validator, model_validator

from harness.protocol.confirmation import Confirmation
from harness.protocol.figures import Costs, Counted, Figures, Flag, OwnPictures, SeedScores, Verdict
from toolkit.core.record import Record as Record
from toolkit.core.settings import HOOK_NAMES, HookName

SCHEMA_VERSION: Literal[3] = 3


# withheld: measured, and something about it does not fit together: no verdict, no place.
Status = Literal[
    "ok", "unmergeable", "withheld", "failed", "timeout", "oom", "limit", "crashed", "canceled"
]


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


class GateSummary(Record):
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
    confirmation: Confirmation | None = Field(
        default=None, description="null in rows that were not recorded, or whose track has no sets"
    )
    losses: tuple[float, ...] = Field(
        default=(),
        description="training loss per step, first seed; of many thousands, means of runs",
    )
    counted: Counted | None = Field(
        default=None, description="steps and pictures of the first seed; null in older rows"
    )
    trainable_parameters: int | None = None
    adapter_bytes: int | None = None
    changed_modules: int | None = Field(
        default=None, description="tensors of the base that training changed"
    )
    contract: GateSummary | None = Field(
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
        if self.status == "withheld" and (self.verdict or not (self.scores and self.flags)):
            raise ValueError("a withheld row needs scores and flags, and has no verdict")
        if self.status == "unmergeable" and not (self.own_pictures and self.costs):
            raise ValueError("an unmergeable row needs own_pictures and costs")
        if self.status != "ok" and self.error is None:
            raise ValueError(f"a row with status {self.status} needs an error")
        return self
