"""One contribution's training: what its tasks start, and where they leave their files.

Every seed is a process of its own in a folder of its own: no seed can leave anything to the next,
and the kernel's books say what each one cost, from the import of the contribution to the last
process's end (``harness/sandbox/meter.py``). Then one more process makes the changes of weights
again from the saved adapters, and draws.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness.contributions.record import Contribution
from harness.runs.steps.answers import read_remaking, read_training
from harness.runs.steps.attempt import THREADS, Attempt
from harness.runs.steps.kept import FOLDER, Kept, read_kept, write_kept
from harness.sandbox.child import Child
from harness.sandbox.files import ANSWER_FILE
from harness.sandbox.meter import Cost
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

REMADE = "remade"


@dataclass
class Side:
    """One contribution's training.

    Args:
        attempt: The run that it belongs to.
        contribution: Whose hooks train.
        folder: Of its seeds.
        seeds: Of the training.
        scoring: Folder of its scorings, which a new training makes worthless; None: there is none.
        fresh: Whether what an earlier run left there does not count.
    """

    attempt: Attempt
    contribution: Contribution
    folder: Path
    seeds: tuple[int, ...]
    scoring: Path | None = None
    fresh: bool = False
    _kept: dict[str, Kept] = field(default_factory=dict)
    _begun: bool = False

    def __post_init__(self) -> None:
        names = [*map(seed_name, self.seeds), again_name(self.seeds[0]), REMADE]
        found = {} if self.fresh else {name: read_kept(self.folder, name) for name in names}
        self._kept = {
            name: kept for name, kept in found.items() if kept and self._is_whole(name, kept)
        }
        if not all(seed_name(seed) in self._kept for seed in self.seeds):
            self._kept.pop(REMADE, None)  # it is of all seeds

    def _is_whole(self, name: str, kept: Kept) -> bool:
        """Tell whether the files of a task that was kept are there."""
        if name == REMADE:
            return all(remade_folder(self.folder, seed).is_dir() for seed in self.seeds)
        outcome = kept.outcome
        if outcome is None:
            return True  # a second training: an adapter that is no change of weights leaves nothing
        folder = seed_folder(self.folder, outcome.seed)
        names = [ADAPTER_FILE, *([] if outcome.unmergeable else [DELTA_FILE])]
        return all((folder / one).is_file() for one in names)

    def has(self, name: str) -> bool:
        """Tell whether a task is done: ``seed_name``, ``again_name`` or ``REMADE``."""
        return name in self._kept

    @property
    def is_trained(self) -> bool:
        """Whether all seeds are done, and their changes made again."""
        return self.has(REMADE)

    @property
    def outcomes(self) -> tuple[SeedOutcome, ...]:
        """What the seeds yielded that are done."""
        found = (self._kept.get(seed_name(seed)) for seed in self.seeds)
        return tuple(kept.outcome for kept in found if kept is not None and kept.outcome)

    @property
    def costs(self) -> dict[int, Cost]:
        """What the seeds cost that are done."""
        found = {seed: self._kept.get(seed_name(seed)) for seed in self.seeds}
        return {seed: kept.cost for seed, kept in found.items() if kept is not None and kept.cost}

    @property
    def spent(self) -> list[Spent]:
        """What its tasks used that are done."""
        return [kept.spent for kept in self._kept.values()]

    @property
    def answer(self) -> Answer:
        """The answer to all seeds."""
        return Answer(seeds=self.outcomes)

    @property
    def pictures(self) -> Path:
        """A copy of the training pictures: the track's own folder leads to the held-out ones."""
        return self.folder.with_name(f"{self.folder.name}-pictures")

    def begin(self) -> None:
        """Make room, before the first child: what was interrupted must not pass for this one's."""
        if self._begun:
            return
        self._begun = True
        if not self._kept:
            make_room(self.folder)
        if self.scoring is not None:
            make_room(self.scoring)
        (self.folder / FOLDER).mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.pictures, ignore_errors=True)
        for folder in ("Images", "ImageCaptions"):
            shutil.copytree(self.attempt.track.train_dir / folder, self.pictures / folder)

    def train(self, seed: int, *, again: bool = False) -> Child[Answer]:
        """Start one worker on one seed, with the track's budget, in a folder of its own."""
        self.begin()
        attempt, file = self.attempt, self.attempt.track.file
        job = TrainJob(
            contribution=self.contribution,
            reference=attempt.reference,
            base_model=str(attempt.track.base_model),
            device=attempt.device,
            threads=THREADS,
            out=self.folder / f"job-{again_name(seed) if again else seed_name(seed)}",
            data_dir=self.pictures,
            resolution=file.resolution,
            steps=file.steps,
            batch_size=file.batch_size,
            seeds=(seed,),
            prompts=(),
            scored=True,
        )
        label = f"{self.contribution.name}, seed {seed}{' again' if again else ''}"
        read = partial(read_training, job)
        return Child(label, "harness.worker.main", job, job.out, file.timeout_s, read)

    def remake(self) -> Child[Answer]:
        """Start the process that makes the deltas again from the saved adapters, and draws."""
        self.begin()
        attempt, file = self.attempt, self.attempt.track.file
        unmergeable = tuple(outcome.seed for outcome in self.outcomes if outcome.unmergeable)
        job = RemakeJob(
            contribution=self.contribution,
            reference=attempt.reference,
            base_model=str(attempt.track.base_model),
            device=attempt.device,
            threads=THREADS,
            out=self.folder / "job-remake",
            seeds=self.seeds,
            adapters=tuple(seed_folder(self.folder, seed) / ADAPTER_FILE for seed in self.seeds),
            unmergeable=unmergeable,
            drawn=tuple(dict.fromkeys((self.seeds[0], *unmergeable))),
            prompts=file.texts,
            resolution=file.resolution,
        )
        label, limit = f"{self.contribution.name} from its file", file.timeout_s * len(self.seeds)
        read = partial(read_remaking, job)
        return Child(label, "harness.worker.main", job, job.out, limit, read)

    def keep(self, child: Child[Answer], seed: int) -> None:
        """Keep what a seed yielded and cost; its files get their place beside the others'."""
        (outcome,) = answer_of(child).seeds
        move(seed_folder(child.out, seed), seed_folder(self.folder, seed))
        self._keep(seed_name(seed), child, outcome=outcome, cost=child.meter.cost)

    def keep_again(self, child: Child[Answer], seed: int) -> None:
        """Keep the delta of a second training; an adapter that is none leaves none."""
        answer_of(child)
        if (seed_folder(child.out, seed) / DELTA_FILE).is_file():
            move(seed_folder(child.out, seed), again_folder(self.folder, seed))
        self._keep(again_name(seed), child)

    def keep_remade(self, child: Child[Answer]) -> None:
        """Keep the deltas that were made again, and the pictures: the training is finished."""
        answer_of(child)
        prompts = range(len(self.attempt.track.file.texts))
        for seed in self.seeds:
            made = seed_folder(child.out, seed)
            for path in (picture_file(made, number) for number in prompts):
                if path.is_file():
                    path.replace(seed_folder(self.folder, seed) / path.name)
            move(made, remade_folder(self.folder, seed))
        self._keep(REMADE, child)
        write(self.folder, together(self.spent))
        atomic.write_text(self.folder / ANSWER_FILE, self.answer.model_dump_json())

    def _keep(
        self,
        name: str,
        child: Child[Answer],
        outcome: SeedOutcome | None = None,
        cost: Cost | None = None,
    ) -> None:
        spent = read_spent(child.out)
        if spent is None:
            raise HubError(f"{child.label} ended without an account of what it used.")
        self._kept[name] = Kept(spent=spent, outcome=outcome, cost=cost)
        write_kept(self.folder, name, self._kept[name])


def seed_name(seed: int) -> str:
    """Return the name of a seed's task."""
    return f"seed-{seed}"


def again_name(seed: int) -> str:
    """Return the name of a seed's second training."""
    return f"again-{seed}"


def move(source: Path, target: Path) -> None:
    """Move a folder to its place; what an interrupted run left there goes."""
    make_room(target)
    source.rename(target)


def make_room(place: Path) -> None:
    """Remove what an earlier run left."""
    if place.exists() or place.is_symlink():
        remove_tree(place)


def answer_of(child: Child[Answer]) -> Answer:
    """Return what a child answered that ended well.

    Raises:
        HubError: It has no answer.
    """
    answer = child.ended().answer
    if answer is None:
        raise HubError(f"{child.label} ended well without an answer.")
    return answer
