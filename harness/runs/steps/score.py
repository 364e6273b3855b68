"""Describe what the trusted scorer measures: the base once per machine, then seed by seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from harness.protocol.figures import Figures
from harness.protocol.row import ErrorReport
from harness.protocol.track import Track
from harness.runs.graph.task import Ending
from harness.runs.steps.attempt import THREADS
from harness.runs.steps.train import Training
from harness.sandbox.child import Child, Order
from harness.sandbox.files import ANSWER_FILE
from harness.scoring.jobs import BENCH_FILE, BenchFile, Entry, EntryScore, ScoreAnswer, ScoreJob
from harness.worker.jobs import DELTA_FILE, picture_file
from toolkit.core.errors import HubError

TIMEOUT_S = 1800

# One machine repeats itself to the bit.
REPEATS = 1e-6


@dataclass
class Scoring:
    """One scorer: of the base alone, or of what some trainings left.

    Args:
        label: What the user sees.
        track: Its track.
        folder: Where it writes.
        device: Where it computes.
        base: Of the base, which it is measured against; None: this is it.
        trained: The trainings to score, each with a second one of the same seed or None.
        name: Whose trainings they are.
        fresh: Whether a result that lies there does not count.
        heldback: Folder with ``train`` and ``heldback`` instead of the track's pictures.
    """

    label: str
    track: Track
    folder: Path
    device: str = "cpu"
    base: Scoring | None = None
    trained: tuple[tuple[Training, Training | None], ...] = ()
    name: str = ""
    fresh: bool = False
    heldback: Path | None = None
    answer: ScoreAnswer | None = None
    error: ErrorReport | None = None

    def begin(self) -> None:
        """Nothing is to be prepared."""

    def known(self) -> Ending | None:
        """Take what was measured already."""
        if self.answer is not None:
            return "badly" if self.error else "well"
        trained = [one for pair in self.trained for one in pair if one is not None]
        if self.fresh or any(one.ran or one.known() is None for one in trained):
            return None  # of another training than the one that is to be scored
        try:
            answer = ScoreAnswer.model_validate_json((self.folder / ANSWER_FILE).read_bytes())
        except (OSError, ValueError):
            return None
        seeds = [one.job.seed for one, _ in self.trained]
        whole = answer.error is None and [one.seed for one in answer.entries] == seeds
        if not whole or not all(map(self._is_whole, answer.entries, self.trained)):
            return None
        if self.base is None and answer.bench_sha256 != digest(self.folder / BENCH_FILE):
            return None  # damaged: measured again
        self.answer = answer
        return "well"

    def _is_whole(self, score: EntryScore, pair: tuple[Training, Training | None]) -> bool:
        """Tell whether nothing is missing in what was measured of one seed."""
        shown = pair[0].job.draws and pair[0].shown
        repeated = pair[1] is None or score.figures is None or score.determinism is not None
        return score.error is None and repeated and not (shown and score.own_pictures is None)

    def order(self) -> Order[ScoreAnswer]:
        """Describe the scorer."""
        track, split, prompts = self.track, self.heldback, len(self.track.file.prompts)
        job = ScoreJob(
            track=track.file,
            base_model=str(track.base_model),
            judge_dir=track.judge_dir,
            train_dir=split / "train" if split else track.train_dir,
            heldout_dir=split / "heldback" if split else track.heldout_dir,
            contrast_dir=track.contrast_dir,
            bench=self.base.bench if self.base is not None else None,
            entries=tuple(entry(self.name, *pair, prompts) for pair in self.trained),
            device=self.device,
            threads=THREADS,
            out=self.folder,
        )
        timeout_s = max(TIMEOUT_S, track.file.timeout_s * (len(job.entries) + 1))
        read = ScoreAnswer.model_validate_json
        return Order(self.label, "harness.scoring.main", job, job.out, timeout_s, read)

    def read(self, child: Child[ScoreAnswer]) -> Ending:
        """Take what it measured; a delta that it refuses is a failure."""
        outcome = child.ended()
        self.answer, self.error = outcome.answer, outcome.error
        if self.answer is not None and self.error is None:
            refused = [one.error for one in self.answer.entries if one.error is not None]
            self.error = refused[0] if refused else None
        return "badly" if self.error else "well"

    @property
    def measured(self) -> ScoreAnswer:
        """What was measured.

        Raises:
            HubError: Nothing was.
        """
        if self.answer is None:
            raise HubError("The scorer left no answer.", where="harness/scoring/main.py")
        return self.answer

    @property
    def base_figures(self) -> Figures:
        """The base's figures.

        Raises:
            HubError: The scorer left them out.
        """
        if self.measured.base is None:
            raise HubError("The scorer left out the base.", where="harness/scoring/main.py")
        return self.measured.base

    @property
    def bench(self) -> BenchFile:
        """The base's measurement, for the scorers that go on from it.

        Raises:
            HubError: The scorer did not leave it.
        """
        if self.measured.bench_sha256 is None:
            raise HubError("The scorer left out the base.", where="harness/scoring/main.py")
        return BenchFile(path=self.folder / BENCH_FILE, sha256=self.measured.bench_sha256)


def digest(file: Path) -> str | None:
    """Return the sha256 of a file, or None when there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def entry(name: str, trained: Training, again: Training | None, prompts: int) -> Entry:
    """Say what is scored of one training; its own pictures, if there is one for each prompt."""
    outcome, folder = trained.trained, trained.folder
    drawn = [picture_file(folder, i) for i in range(prompts)]
    return Entry(
        label=name,
        seed=trained.job.seed,
        delta=None if outcome.unmergeable else folder / DELTA_FILE,
        again=again.folder / DELTA_FILE if again and not again.trained.unmergeable else None,
        own_pictures=tuple(drawn) if all(path.is_file() for path in drawn) else (),
    )


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
