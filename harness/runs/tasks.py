"""What of one run waits for what: the tasks of its graph.

gate        the contribution's and the reference's correctness gate
train       a task for each seed, of the contribution and of the reference
again       the first seed a second time, where a run asks for it
pace        the known reference's first seed once more, for what it costs
remake      the changes of weights again from the saved adapters; needs all seeds of a side
base        the untouched base, once per machine
score       a task for each seed; needs its side's remake, and the base
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.gate.records import GateReport
from harness.protocol.row import ErrorReport
from harness.runs.graph.durations import estimate, name_of, read_seconds
from harness.runs.graph.memory import memory_bytes, weights_bytes
from harness.runs.graph.task import Kind, Task, Work
from harness.runs.steps.attempt import Attempt
from harness.runs.steps.gate import Gating, gate_tasks
from harness.runs.steps.outcomes import Scored, TrainCosts
from harness.runs.steps.score import (
    BaseMeasuring,
    Scoring,
    by_seed,
    read_answer,
    read_scores,
    require_repeated,
    seeds_of,
)
from harness.runs.steps.side import Side, make_room
from harness.runs.steps.train import Remaking, Training, keep_costs, known_costs
from harness.sandbox.outcome import Outcome
from harness.worker.jobs import Answer
from toolkit.core.errors import HubError


class RunTasks:
    """The tasks of one run, and what they found.

    Args:
        attempt: The run.
        gates: The contribution's gate and the reference's; none where a run goes without.
        when_shared: Called when the reference is trained and scored: other runs may use that.
    """

    def __init__(
        self,
        attempt: Attempt,
        gates: tuple[Gating, ...],
        when_shared: Callable[[], None] = lambda: None,
    ) -> None:
        self.attempt, self._gates = attempt, gates
        self.own = Side(
            attempt,
            attempt.contribution,
            attempt.own_training,
            attempt.seeds,
            scoring=attempt.own_scoring,
            fresh=attempt.fresh,
        )
        self.reference = self.own if attempt.is_reference else reference_side(attempt)
        self._costs = known_costs(attempt) if self.own.is_trained else None
        self._pace: Side | None = None
        if self._costs is None and self.reference.is_trained and not attempt.is_reference:
            self._pace = Side(
                attempt, attempt.reference, attempt.pace, attempt.seeds[:1], fresh=attempt.fresh
            )
        self._sides = [self.own] if attempt.is_reference else [self.reference, self.own]
        self._base = BaseMeasuring(attempt.track, attempt.base_folder, attempt.device)
        self._trainings = list(self._all_trainings())
        self._remakings = {id(side): Remaking(side) for side in self._sides}
        self._scorings = {
            (id(side), seed): Scoring(
                side,
                seed,
                attempt.own_scoring if side is self.own else attempt.reference_scoring,
                self._base,
                when_shared if side is self.reference else nothing,
            )
            for side in self._sides
            for seed in side.seeds
        }

    def _all_trainings(self) -> Iterator[Training]:
        """Yield each seed of the reference beside the contribution's same seed."""
        sides = [*([self._pace] if self._pace else []), *self._sides]
        for seed in self.attempt.seeds:
            yield from (Training(side, seed) for side in sides if seed in side.seeds)
        if self.attempt.repeat_first:
            first = self.attempt.seeds[0]
            yield from (Training(side, first, again=True) for side in self._sides)

    def tasks(self) -> list[Task]:
        """Return what is not done yet."""
        kept = read_seconds()
        gates = gate_tasks(self._gates)
        trainings = {id(one): self._task("train", one, kept) for one in self._to_do()}
        tasks = [*gates, *trainings.values()]
        for side in self._sides:
            needs = [
                trainings[id(one)].id
                for one in self._trainings
                if one.side is side and id(one) in trainings
            ]
            remaking = self._remakings[id(side)]
            if not remaking.done:
                tasks.append(self._task("remake", remaking, kept, *needs))
                needs = [tasks[-1].id]
            scorings = [self._scorings[id(side), seed] for seed in side.seeds]
            lacking = [one for one in scorings if not one.done]
            if lacking and self._base.bench is None:
                base = self._task("base", self._base, kept)
                tasks += [] if base.id in {task.id for task in tasks} else [base]
                needs = [*needs, base.id]
            tasks += [self._task("score", one, kept, *needs) for one in lacking]
        return tasks

    def _to_do(self) -> list[Training]:
        return [one for one in self._trainings if not one.done]

    def _task(self, kind: Kind, work: Work, kept: dict[str, float], *needs: str) -> Task:
        attempt, side = self.attempt, getattr(work, "side", None)
        who = [side.contribution.name] if side is not None else []
        what = "pace" if side is not None and side is self._pace else kind
        words = [what, *who, *(str(value) for value in key_of(work))]
        name = name_of(kind, attempt.track.file.name, attempt.device, *who)
        return Task(
            id=" ".join(words),
            kind=kind,
            work=work,
            needs=needs,
            seconds=estimate(kept, name, kind),
            memory_bytes=memory_bytes(weights_bytes(attempt.track), None),
            name=name,
        )

    @property
    def report(self) -> GateReport | None:
        """The report of the contribution's gate."""
        return self._gates[0].report if self._gates else None

    @property
    def reference_report(self) -> GateReport | None:
        """The report of the reference's gate, where it is another one."""
        return self._gates[1].report if len(self._gates) > 1 else None

    @property
    def failed_training(self) -> Outcome[Answer] | None:
        """How the training ended that stopped the run."""
        works: list[Training | Remaking] = [*self._trainings, *self._remakings.values()]
        return next((one.failed for one in works if one.failed is not None), None)

    @property
    def failed_scoring(self) -> ErrorReport | None:
        """Why a scorer stopped the run."""
        works: list[BaseMeasuring | Scoring] = [self._base, *self._scorings.values()]
        return next((one.error for one in works if one.error is not None), None)

    def costs(self) -> TrainCosts:
        """Return what the trainings cost, beside the reference's."""
        if self._costs is None:
            pace = self._pace or self.reference
            repeats = None
            if self._pace is not None:
                repeats = self._pace.outcomes[0].losses == self.reference.outcomes[0].losses
            self._costs = keep_costs(self.attempt, self.own, pace, repeats)
            if self._pace is not None:
                make_room(self._pace.folder)
                make_room(self._pace.pictures)
        return self._costs

    def scored(self) -> Scored:
        """Return the figures of both sides.

        Raises:
            HubError: There are none, or the machine does not repeat itself.
        """
        attempt = self.attempt
        own = read_scores(attempt.own_scoring, attempt.seeds)
        reference = own
        if not attempt.is_reference:
            reference = read_scores(attempt.reference_scoring, attempt.seeds)
        if own.base is None or reference.base is None:
            raise HubError("The scorer left out the base.", where="harness/scoring/main.py")
        require_repeated(own.base, reference.base)
        return Scored(own.base, by_seed(own), by_seed(reference), dict(own.not_measured))


def reference_side(attempt: Attempt) -> Side:
    """Return the reference's training, which all runs with its key share."""
    folder, scoring = attempt.reference_training, attempt.reference_scoring
    return Side(attempt, attempt.reference, folder, attempt.seeds, scoring=scoring)


def is_known(attempt: Attempt) -> bool:
    """Tell whether the reference is trained and scored: nothing of it is to be done."""
    answer = read_answer(attempt.reference_scoring)
    scored = answer is not None and seeds_of(answer) == attempt.seeds
    return scored and reference_side(attempt).is_trained


def key_of(work: Work) -> tuple[object, ...]:
    """Return what tells a task from others of its kind and side."""
    if isinstance(work, Training):
        return (work.seed, "again") if work.again else (work.seed,)
    return (work.seed,) if isinstance(work, Scoring) else ()


def nothing() -> None:
    """Do nothing."""
