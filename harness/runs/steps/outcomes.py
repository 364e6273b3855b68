"""What the tasks of a run found, put together."""

from __future__ import annotations

from dataclasses import dataclass

from harness.protocol.figures import Figures
from harness.sandbox.resource_use import Spent
from harness.scoring.jobs import EntryScore
from harness.worker.jobs import SeedOutcome


@dataclass(frozen=True)
class TrainCosts:
    """What the trainings took, beside the reference's in the same graph."""

    train_seconds: dict[int, float]  # seed -> wall time of its train hook
    worker: Spent  # all workers together
    reference_seconds: float
    reference_repeats: bool | None = None


@dataclass(frozen=True)
class Scored:
    """Figures by seed, of the contribution and of the reference."""

    base: Figures
    own: dict[int, EntryScore]
    reference: dict[int, EntryScore]
    not_measured: dict[str, str]


Outcomes = tuple[SeedOutcome, ...]


def together(spent: list[Spent]) -> Spent:
    """Return what several workers took: sums, and the highest peaks."""
    return spent[0].model_copy(
        update={
            **{
                name: sum(getattr(one, name) for one in spent)
                for name in ("wall_s", "cpu_s", "disk_bytes", "output_bytes")
            },
            **{
                name: max(getattr(one, name) for one in spent)
                for name in ("peak_memory_bytes", "peak_processes")
            },
        }
    )
