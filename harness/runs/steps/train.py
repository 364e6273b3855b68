"""Train the contribution and the reference: it is the yardstick of cost as well.

The reference's weights are trained once per key and then shared. Its cost is not: on a machine that
does other things too, seconds of yesterday say nothing about seconds of today. So when the
reference is known already, its first seed is trained again in the contribution's run, for its cost,
and for a check: it has to repeat itself to the bit.
"""

from __future__ import annotations

import statistics
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from pydantic import ValidationError

from harness.runs.steps.attempt import Attempt
from harness.runs.steps.outcomes import TrainCosts
from harness.runs.steps.side import Side, again_name, seed_name
from harness.sandbox.child import Child
from harness.sandbox.outcome import Outcome
from harness.sandbox.resource_use import together
from harness.worker.jobs import Answer
from toolkit.core import atomic
from toolkit.core.errors import HubError

COSTS_FILE = "costs.json"


@dataclass
class SideTask(ABC):
    """What the tasks of a side have in common: one worker, whose failure stops the run.

    Args:
        side: Whose task it is.
        child: Its worker, once it is started.
        failed: How the worker ended, where it did not end well.
    """

    side: Side
    child: Child[Answer] | None = field(default=None, kw_only=True)
    failed: Outcome[Answer] | None = field(default=None, kw_only=True)

    @abstractmethod
    def take(self, child: Child[Answer]) -> None:
        """Take what a worker left that ended well."""

    def keep(self) -> bool:
        """Take what the worker left, and tell whether it ended well."""
        child = ended(self.child)
        if child.ended().error is not None:
            self.failed = child.ended()
        else:
            self.take(child)
        return self.failed is None

    def close(self) -> None:  # noqa: B027  # it holds nothing, and neither do its tasks
        """Nothing is held."""


@dataclass
class Training(SideTask):
    """The task that trains one seed of one side; ``again``: for the second time."""

    seed: int
    again: bool = False

    @property
    def done(self) -> bool:
        """Whether its result lies there."""
        return self.side.has(again_name(self.seed) if self.again else seed_name(self.seed))

    def start(self) -> Child[Answer]:
        """Start its worker."""
        self.child = self.side.train(self.seed, again=self.again)
        return self.child

    def take(self, child: Child[Answer]) -> None:
        """Take what a worker left that ended well."""
        keep = self.side.keep_again if self.again else self.side.keep
        keep(child, self.seed)


@dataclass
class Remaking(SideTask):
    """The task that makes a side's changes of weights again from its files, and draws."""

    @property
    def done(self) -> bool:
        """Whether its result lies there."""
        return self.side.is_trained

    def start(self) -> Child[Answer]:
        """Start its worker."""
        self.child = self.side.remake()
        return self.child

    def take(self, child: Child[Answer]) -> None:
        """Take what a worker left that ended well."""
        self.side.keep_remade(child)


def ended(child: Child[Answer] | None) -> Child[Answer]:
    """Return a child that was started.

    Raises:
        HubError: None was.
    """
    if child is None:
        raise HubError("A task was ended that had never begun.")
    return child


def known_costs(attempt: Attempt) -> TrainCosts | None:
    """Return what the trainings of this run cost when they were made; None: to be measured."""
    try:
        return TrainCosts.model_validate_json((attempt.folder / COSTS_FILE).read_bytes())
    except (OSError, ValidationError):
        return None  # of another version of the hub, or there was no training to its end


def keep_costs(attempt: Attempt, own: Side, pace: Side, repeats: bool | None) -> TrainCosts:
    """Write down what a training cost.

    Args:
        attempt: The run.
        own: The contribution's side.
        pace: The side whose costs are the yardstick: the reference's.
        repeats: Whether the reference trained to the same losses again; None: only once.

    Raises:
        HubError: A worker that ended well never waited for the hub's meter.
    """
    if set(own.costs) != set(own.seeds) or set(pace.costs) != set(pace.seeds):
        raise HubError(
            "A worker began without the hub's meter, so nothing can be said about its cost.",
            where="harness/worker/training.py",
        )
    costs = TrainCosts(
        train_seconds={seed: cost.wall_s for seed, cost in own.costs.items()},
        cpu_seconds={seed: cost.cpu_s for seed, cost in own.costs.items()},
        beside_seconds={seed: cost.beside_s for seed, cost in own.costs.items()},
        memory_bytes=max(cost.memory_bytes for cost in own.costs.values()),
        worker=together(own.spent),
        reference_seconds=statistics.fmean(cost.wall_s for cost in pace.costs.values()),
        reference_cpu_seconds={seed: cost.cpu_s for seed, cost in pace.costs.items()},
        reference_memory_bytes=max(cost.memory_bytes for cost in pace.costs.values()),
        reference_repeats=repeats,
    )
    atomic.write_text(attempt.folder / COSTS_FILE, costs.model_dump_json(indent=1))
    return costs
