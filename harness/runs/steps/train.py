"""Train the contribution and, beside it, the reference: it is the yardstick of cost as well.

Every seed is a process of its own in a folder of its own: no seed can leave anything to the next,
and the kernel's books say what each one cost, from the import of the contribution to the last
process's end (``harness/sandbox/meter.py``). Then one more process makes the changes of weights
again from the saved adapters, and draws.

The reference's weights are trained once per key and then shared. Its cost is not: on a machine that
does other things too, seconds of yesterday say nothing about seconds of today. So when the
reference is known already, its first seed is trained again beside the contribution's, for its cost
(it takes the other core, and no wall time), and for a check: it has to repeat itself to the bit.
Where runs fill all cores (``contribution --all``) the two take turns instead: processes that share
a core would compare one that shared with one that did not.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from harness.contributions.record import Contribution
from harness.runs.steps.answers import read_remaking, read_training
from harness.runs.steps.attempt import THREADS, Attempt
from harness.runs.steps.outcomes import TrainCosts, Trained
from harness.sandbox.child import Child, run_children
from harness.sandbox.files import ANSWER_FILE
from harness.sandbox.meter import Cost
from harness.sandbox.outcome import Outcome
from harness.sandbox.resource_use import Spent, read_spent, together, write
from harness.sandbox.tidy import remove_tree
from harness.worker.jobs import (
    ADAPTER_FILE,
    DELTA_FILE,
    Answer,
    RemakeJob,
    SeedOutcome,
    TrainJob,
    again_folder,
    picture_file,
    remade_folder,
    seed_folder,
)
from toolkit.core import atomic
from toolkit.core.errors import HubError
from toolkit.core.locks import held

COSTS_FILE = "costs.json"

Start = Callable[[], Child[Answer]]


@dataclass
class Side:
    """One contribution's training, seed by seed, in one folder."""

    attempt: Attempt
    contribution: Contribution
    folder: Path
    seeds: tuple[int, ...]
    outcomes: list[SeedOutcome] = field(default_factory=list)
    costs: dict[int, Cost] = field(default_factory=dict)
    spent: list[Spent] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.folder.exists() or self.folder.is_symlink():
            remove_tree(self.folder)  # what an interrupted run left must not pass for this one's
        self.folder.mkdir(parents=True)
        copy_pictures(self.attempt, self.pictures)

    @property
    def pictures(self) -> Path:
        """A copy of the training pictures: the track's own folder leads to the held-out ones."""
        return self.folder.with_name(f"{self.folder.name}-pictures")

    def train(self, seed: int, name: str = "") -> Child[Answer]:
        """Start one seed; ``name`` tells a second training of it from the first."""
        return train_child(self.attempt, self.contribution, self.folder, seed, name)

    def remake(self) -> Child[Answer]:
        """Start the process that makes the deltas again from the saved adapters, and draws."""
        return remake_child(self.attempt, self.contribution, self.folder, tuple(self.outcomes))

    def keep(self, child: Child[Answer], seed: int) -> None:
        """Keep what a seed yielded and cost; its files get their place beside the others'."""
        outcome = self.take(child)
        self.outcomes += outcome
        if child.meter.cost is not None:
            self.costs[seed] = child.meter.cost
        seed_folder(child.out, seed).rename(seed_folder(self.folder, seed))

    def keep_again(self, child: Child[Answer], seed: int) -> None:
        """Keep the delta of a second training; an adapter that is none leaves none."""
        self.take(child)
        if (seed_folder(child.out, seed) / DELTA_FILE).is_file():
            seed_folder(child.out, seed).rename(again_folder(self.folder, seed))

    def keep_remade(self, child: Child[Answer]) -> None:
        """Keep the deltas that were made again, and the pictures."""
        self.take(child)
        prompts = range(len(self.attempt.track.file.texts))
        for seed in self.seeds:
            made = seed_folder(child.out, seed)
            for path in (picture_file(made, number) for number in prompts):
                if path.is_file():
                    path.rename(seed_folder(self.folder, seed) / path.name)
            made.rename(remade_folder(self.folder, seed))

    def take(self, child: Child[Answer]) -> tuple[SeedOutcome, ...]:
        """Return what a child that ended well answered, and add up what it used."""
        answer, spent = child.ended().answer, read_spent(child.out)
        if answer is None:
            raise HubError(f"{child.label} ended well without an answer.")
        self.spent += [spent] if spent else []
        return answer.seeds

    def finish(self) -> Outcome[Answer]:
        """Write the answer to all seeds, and return it."""
        answer = Answer(seeds=tuple(self.outcomes))
        write(self.folder, together(self.spent))
        atomic.write_text(self.folder / ANSWER_FILE, answer.model_dump_json())
        return Outcome(answer, None, "ok")


def train(attempt: Attempt) -> Trained:
    """Return how the contribution's and the reference's training ended."""
    if attempt.is_reference:
        return train_reference(attempt)
    attempt.reference_folder.mkdir(parents=True, exist_ok=True)

    def tell(owner: str) -> None:
        attempt.progress.update(attempt.reference.name, 0.0, f"waiting for {owner}")

    # Somebody else's run may be training the same reference right now: wait for it, then share.
    with held(attempt.reference_folder, timeout_s=-1, when_busy=tell):
        known = read_finished(attempt.reference_training, attempt.seeds)
        if known is None:
            return train_both(attempt)
    return train_beside(attempt, known)


def train_reference(attempt: Attempt) -> Trained:
    """Train the reference as the contribution that it is here; it is its own pace."""
    known = read_known(attempt)
    if known is not None:
        return known
    own = Side(attempt, attempt.contribution, attempt.own_training, attempt.seeds)
    failed = train_sides(attempt, [own])
    if failed is not None:
        return Trained(failed, failed, None)
    outcome = own.finish()
    return Trained(outcome, outcome, keep_costs(attempt, own, own, repeats=None))


def train_both(attempt: Attempt) -> Trained:
    """Train contribution and reference side by side; the first failure ends both."""
    reference = Side(attempt, attempt.reference, attempt.reference_training, attempt.seeds)
    own = Side(attempt, attempt.contribution, attempt.own_training, attempt.seeds)
    failed = train_sides(attempt, [reference, own])
    if failed is not None:
        return Trained(failed, failed, None)
    other = reference.finish()
    return Trained(own.finish(), other, keep_costs(attempt, own, reference, repeats=None))


def train_beside(attempt: Attempt, reference: Answer) -> Trained:
    """Train the contribution, and the known reference's first seed beside it for its cost."""
    known = read_known(attempt)
    if known is not None:
        attempt.progress.finish(attempt.reference.name, ok=True)
        return known
    pace = Side(attempt, attempt.reference, attempt.pace, attempt.seeds[:1])
    own = Side(attempt, attempt.contribution, attempt.own_training, attempt.seeds)
    failed = train_sides(attempt, [own], pace)
    if failed is not None:
        return Trained(failed, failed, None)
    repeats = pace.outcomes[0].losses == reference.seeds[0].losses
    costs = keep_costs(attempt, own, pace, repeats=repeats)
    for folder in (pace.folder, pace.pictures):
        shutil.rmtree(folder)
    return Trained(own.finish(), Outcome(reference, None, "ok"), costs)


def train_sides(
    attempt: Attempt, sides: Sequence[Side], pace: Side | None = None
) -> Outcome[Answer] | None:
    """Train all seeds of all sides, each seed beside the others' same seed; then remake.

    Returns:
        How the first one that failed ended; None when all ended well.
    """
    everyone = [pace, *sides] if pace else [*sides]
    for seed in attempt.seeds:
        now = [side for side in everyone if seed in side.seeds]
        children, failed = follow(attempt, [partial(side.train, seed) for side in now])
        if failed is not None:
            return failed
        for side, child in zip(now, children, strict=True):
            side.keep(child, seed)
    last: list[tuple[Start, Callable[[Child[Answer]], None]]] = []
    if attempt.repeat_first:
        seed = attempt.seeds[0]
        last += [
            (partial(side.train, seed, "again"), partial(side.keep_again, seed=seed))
            for side in sides
        ]
    last += [(side.remake, side.keep_remade) for side in sides]
    while last:
        now_last, last = last[: len(sides)], last[len(sides) :]
        children, failed = follow(attempt, [start for start, _ in now_last])
        if failed is not None:
            return failed
        for (_, keep), child in zip(now_last, children, strict=True):
            keep(child)
    return None


def follow(
    attempt: Attempt, starts: Sequence[Start]
) -> tuple[list[Child[Answer]], Outcome[Answer] | None]:
    """Start children and follow them to their ends, side by side or one after the other.

    Returns:
        The children, and how the first one that failed ended, which ended the others.
    """
    children: list[Child[Answer]] = []
    batches = [[start] for start in starts] if attempt.one_at_a_time else [list(starts)]
    for batch in batches:
        now: list[Child[Answer]] = []
        try:
            for start in batch:
                now.append(start())
        except BaseException:
            for child in now:
                child.kill()
            raise
        run_children(now, attempt.progress)
        for child in now:
            if child.outcome is not None and child.outcome.error is not None:
                return children, child.outcome
        children += now
    return children, None


def read_known(attempt: Attempt) -> Trained | None:
    """Return what the same key has trained before, or None when there is none to be used."""
    own = read_finished(attempt.own_training, attempt.seeds)
    reference = own if attempt.is_reference else None
    if not attempt.is_reference:
        reference = read_finished(attempt.reference_training, attempt.seeds)
    path = attempt.folder / COSTS_FILE
    if attempt.fresh or own is None or reference is None or not path.is_file():
        return None
    try:
        costs = TrainCosts.model_validate_json(path.read_bytes())
    except ValidationError:
        return None  # of another version of the hub
    return Trained(Outcome(own, None, "ok"), Outcome(reference, None, "ok"), costs)


def keep_costs(attempt: Attempt, own: Side, pace: Side, repeats: bool | None) -> TrainCosts:
    """Write down what a training cost.

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


def copy_pictures(attempt: Attempt, place: Path) -> None:
    """Copy the training pictures and captions of a track."""
    shutil.rmtree(place, ignore_errors=True)
    for folder in ("Images", "ImageCaptions"):
        shutil.copytree(attempt.track.train_dir / folder, place / folder)


def train_child(
    attempt: Attempt, contribution: Contribution, training: Path, seed: int, name: str = ""
) -> Child[Answer]:
    """Start one worker on one seed, with the track's budget, in a folder of its own."""
    file = attempt.track.file
    job = TrainJob(
        contribution=contribution,
        reference=attempt.reference,
        base_model=str(attempt.track.base_model),
        device=attempt.device,
        threads=THREADS,
        out=training / f"job-{name or 'seed'}-{seed}",
        data_dir=training.with_name(f"{training.name}-pictures"),
        resolution=file.resolution,
        steps=file.steps,
        batch_size=file.batch_size,
        seeds=(seed,),
        prompts=(),
        scored=True,
    )
    label = f"{contribution.name}, seed {seed}{' again' if name else ''}"
    read = partial(read_training, job)
    return Child(label, "harness.worker.main", job, job.out, file.timeout_s, read)


def remake_child(
    attempt: Attempt, contribution: Contribution, training: Path, outcomes: tuple[SeedOutcome, ...]
) -> Child[Answer]:
    """Start one worker that makes all deltas again from the saved adapters, and draws."""
    file = attempt.track.file
    unmergeable = tuple(outcome.seed for outcome in outcomes if outcome.unmergeable)
    job = RemakeJob(
        contribution=contribution,
        reference=attempt.reference,
        base_model=str(attempt.track.base_model),
        device=attempt.device,
        threads=THREADS,
        out=training / "job-remake",
        seeds=attempt.seeds,
        adapters=tuple(seed_folder(training, seed) / ADAPTER_FILE for seed in attempt.seeds),
        unmergeable=unmergeable,
        drawn=tuple(dict.fromkeys((attempt.seeds[0], *unmergeable))),
        prompts=file.texts,
        resolution=file.resolution,
    )
    label, limit = f"{contribution.name} from its file", file.timeout_s * len(attempt.seeds)
    read = partial(read_remaking, job)
    return Child(label, "harness.worker.main", job, job.out, limit, read)


def read_finished(folder: Path, seeds: tuple[int, ...]) -> Answer | None:
    """Return the answer of a finished training, or None when there is none that can be used."""
    path = folder / ANSWER_FILE
    if not path.is_file():
        return None
    try:
        answer = Answer.model_validate_json(path.read_bytes())
    except ValueError:
        return None  # Of another version of the hub: train again.
    same_seeds = tuple(outcome.seed for outcome in answer.seeds) == seeds
    whole = all(
        outcome.unmergeable
        or (
            (seed_folder(folder, outcome.seed) / DELTA_FILE).is_file()
            and (remade_folder(folder, outcome.seed) / DELTA_FILE).is_file()
        )
        for outcome in answer.seeds
    )
    return answer if answer.error is None and same_seeds and whole else None
