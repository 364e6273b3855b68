"""Have the trusted scorer measure: the base once per machine, then each seed in a process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from harness.protocol.figures import Figures
from harness.protocol.row import ErrorReport
from harness.protocol.track import Track
from harness.runs.graph.task import AlreadyDone, Followed, lock_now
from harness.runs.steps.attempt import THREADS
from harness.runs.steps.side import Side
from harness.sandbox.child import Child
from harness.sandbox.files import ANSWER_FILE
from harness.sandbox.resource_use import read_spent, together, write
from harness.scoring.jobs import BENCH_FILE, BenchFile, Entry, EntryScore, ScoreAnswer, ScoreJob
from harness.worker.jobs import DELTA_FILE, again_folder, picture_file, remade_folder, seed_folder
from toolkit.core import atomic
from toolkit.core.errors import HubError

TIMEOUT_S = 1800

# The base is measured once on a machine. One machine repeats itself to the bit.
REPEATS = 1e-6


@dataclass
class BaseMeasuring:
    """The task that measures the untouched base of a track, for all runs on this machine.

    Args:
        track: Its track.
        folder: Named by all that the measurement depends on.
        device: Where it is computed.
    """

    track: Track
    folder: Path
    device: str
    bench: BenchFile | None = None
    error: ErrorReport | None = None
    _child: Child[ScoreAnswer] | None = None
    _lock: FileLock | None = None

    def __post_init__(self) -> None:
        self.bench = self._read()

    def start(self) -> Followed | None:
        """Start the scorer on the base alone."""
        self._lock = lock_now(self.folder)
        if self._lock is None:
            return None
        self.bench = self._read()
        if self.bench is not None:  # another process has measured it meanwhile
            return AlreadyDone()
        label = f"the base of {self.track.file.name}"
        self._child = scorer(label, self.track, (), self.folder, self.device)
        return self._child

    def keep(self) -> bool:
        """Take what it measured."""
        if self._child is not None:
            self.error = self._child.ended().error
            self.bench = self._read()
        return self.error is None and self.bench is not None

    def close(self) -> None:
        """Let other runs have it."""
        if self._lock is not None:
            self._lock.release()

    def _read(self) -> BenchFile | None:
        """Return what was measured before; a file that has changed since is measured again."""
        answer = read_answer(self.folder)
        file = self.folder / BENCH_FILE
        if answer is None or answer.bench_sha256 is None or not file.is_file():
            return None
        if hashlib.sha256(file.read_bytes()).hexdigest() != answer.bench_sha256:
            return None
        return BenchFile(path=file, sha256=answer.bench_sha256)


@dataclass
class Scoring:
    """The task that scores one seed of a side.

    Args:
        side: Whose it is.
        seed: Which one.
        folder: Of all scorings of the side.
        base: What it is measured against.
        when_scored: Called when all seeds of the side are scored.
    """

    side: Side
    seed: int
    folder: Path
    base: BaseMeasuring
    when_scored: Callable[[], None] = field(default=lambda: None, repr=False)
    answer: ScoreAnswer | None = None
    error: ErrorReport | None = None
    _child: Child[ScoreAnswer] | None = None

    def __post_init__(self) -> None:
        answer = read_answer(self.out) if self.side.is_trained else None
        self.answer = answer if answer is not None and seeds_of(answer) == (self.seed,) else None

    @property
    def out(self) -> Path:
        """Its folder."""
        return seed_folder(self.folder, self.seed)

    @property
    def done(self) -> bool:
        """Whether its result lies there."""
        return self.answer is not None

    def start(self) -> Child[ScoreAnswer]:
        """Start a scorer."""
        name, track = self.side.contribution.name, self.side.attempt.track
        device, bench = self.side.attempt.device, self.base.bench
        label = f"scoring {name}, seed {self.seed}"
        self._child = scorer(label, track, (self._entry(),), self.out, device, bench=bench)
        return self._child

    def keep(self) -> bool:
        """Take the figures; a delta that the scorer refuses is a failure."""
        if self._child is None:
            return False
        outcome = self._child.ended()
        self.error = outcome.error
        if outcome.answer is not None:
            refused = [entry.error for entry in outcome.answer.entries if entry.error is not None]
            self.error = self.error or (refused[0] if refused else None)
        if self.error is None:
            self.answer = outcome.answer
            self._put_together()
        return self.error is None

    def close(self) -> None:
        """Nothing is held."""

    def _put_together(self) -> None:
        """Write one answer for the side, once all its seeds are scored."""
        seeds = self.side.seeds
        found = [read_answer(seed_folder(self.folder, seed)) for seed in seeds]
        answers = [answer for answer in found if answer is not None]
        if len(answers) == len(seeds):
            write_together(self.folder, seeds, answers)
            spent = [read_spent(seed_folder(self.folder, seed)) for seed in seeds]
            write(self.folder, together([one for one in spent if one is not None]))
            self.when_scored()

    def _entry(self) -> Entry:
        """Say what is scored; its own pictures, if there is one for each prompt."""
        training, attempt = self.side.folder, self.side.attempt
        (outcome,) = (one for one in self.side.outcomes if one.seed == self.seed)
        folder = seed_folder(training, self.seed)
        again = again_folder(training, self.seed) / DELTA_FILE
        drawn = [picture_file(folder, i) for i in range(len(attempt.track.file.prompts))]
        return Entry(
            label=self.side.contribution.name,
            seed=self.seed,
            delta=None if outcome.unmergeable else folder / DELTA_FILE,
            again=again if again.is_file() else None,
            remade=None if outcome.unmergeable else remade_folder(training, self.seed) / DELTA_FILE,
            own_pictures=tuple(drawn) if all(path.is_file() for path in drawn) else (),
        )


def losses_on(track: Track, train_dir: Path, heldout_dir: Path) -> dict[str, Any]:
    """Return the fields of a job that measures on other pictures than a track's, losses alone.

    Args:
        track: Whose base and grid.
        train_dir: Training pictures, for what is measured on them.
        heldout_dir: The pictures that gains are measured on.
    """
    return {
        "track": track.file.for_losses(),
        "train_dir": train_dir,
        "heldout_dir": heldout_dir,
    }


def figures_of(answer: ScoreAnswer) -> ScoreAnswer:
    """Return a scorer's answer that has a base to compare with.

    Raises:
        HubError: It has none.
    """
    if answer.base is None or answer.error is not None:
        what = answer.error.what if answer.error else "it left no figures"
        raise HubError(f"The scorer failed: {what}", where="harness/scoring/main.py")
    return answer


def scorer(
    label: str,
    track: Track,
    entries: tuple[Entry, ...],
    out: Path,
    device: str,
    /,
    **fields: Any,
) -> Child[ScoreAnswer]:
    """Start one scorer; without entries it measures the base.

    Args:
        label: What the user sees.
        track: Whose base and grid.
        entries: What is measured.
        out: Its folder.
        device: Where it is computed.
        fields: Further fields of the job.
    """
    job = ScoreJob.on(track, entries, out, device=device, threads=THREADS, **fields)
    timeout_s = max(TIMEOUT_S, track.file.timeout_s * (len(job.entries) + 1))
    read = ScoreAnswer.model_validate_json
    return Child(label, "harness.scoring.main", job, out, timeout_s, read)


def write_together(folder: Path, seeds: tuple[int, ...], answers: list[ScoreAnswer]) -> None:
    """Write the answers to several seeds as one; pictures are those of the first seed."""
    first = {
        label: tuple(f"{seed_folder(folder, seeds[0]).name}/{name}" for name in names)
        for label, names in answers[0].pictures.items()
    }
    entries = tuple(entry for answer in answers for entry in answer.entries)
    whole = answers[0].model_copy(update={"entries": entries, "pictures": first})
    atomic.write_text(folder / ANSWER_FILE, whole.model_dump_json())


def read_scores(folder: Path, seeds: tuple[int, ...]) -> ScoreAnswer:
    """Return the figures of a side.

    Raises:
        HubError: They are not there.
    """
    answer = read_answer(folder)
    if answer is None or seeds_of(answer) != seeds or answer.base is None:
        raise HubError("The scorer left no answer.", where="harness/scoring/main.py")
    return answer


def read_answer(folder: Path) -> ScoreAnswer | None:
    """Return a scorer's answer without faults, or None."""
    try:
        answer = ScoreAnswer.model_validate_json((folder / ANSWER_FILE).read_bytes())
    except (OSError, ValueError):
        return None  # not there, or of another version of the hub
    good = answer.error is None and all(entry.error is None for entry in answer.entries)
    return answer if good else None


def seeds_of(answer: ScoreAnswer) -> tuple[int, ...]:
    """Return the seeds that an answer is about."""
    return tuple(entry.seed for entry in answer.entries)


def by_seed(answer: ScoreAnswer) -> dict[int, EntryScore]:
    """Return the entries of an answer by their seeds."""
    return {entry.seed: entry for entry in answer.entries}


def require_repeated(now: Figures, then: Figures) -> None:
    """Make sure that the base measures now as it did when the reference was scored.

    Raises:
        HubError: It does not.
    """
    if abs(now.heldout.mean - then.heldout.mean) > REPEATS * then.heldout.mean:
        raise HubError(
            f"The base's held-out loss is {now.heldout.mean:.6f} now and was "
            f"{then.heldout.mean:.6f} when the reference was scored on this machine.",
            fix="Remove runs/ and run again; if it comes back, `nox -s doctor`.",
        )
