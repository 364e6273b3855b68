"""What the steps hand each other."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from harness.protocol.figures import Figures
from harness.sandbox.resource_use import Spent
from harness.scoring.jobs import EntryScore
from toolkit.core.record import Record


class TrainCosts(Record):
    """What a training took, beside the reference's pace in the same job; kept by the parent."""

    train_seconds: dict[int, float] = Field(
        description="seed -> time on the hub's clock from the import to the end of its process"
    )
    cpu_seconds: dict[int, float] = Field(
        description="seed -> processor time of all its processes in that time, by the kernel"
    )
    beside_seconds: dict[int, float] = Field(
        description="seed -> the part of it that other processes than the worker used"
    )
    memory_bytes: int = Field(description="the largest of all seeds")
    worker: Spent
    reference_seconds: float
    reference_cpu_seconds: dict[int, float]
    reference_memory_bytes: int
    reference_repeats: bool | None = None


@dataclass(frozen=True)
class Scored:
    """Figures by seed, of the contribution and of the reference."""

    base: Figures
    own: dict[int, EntryScore]
    reference: dict[int, EntryScore]
    not_measured: dict[str, str]
