"""Trainings as the pages show them: those that the app started, and those it found."""

from __future__ import annotations

from pathlib import Path

from harness import paths
from harness.commands.app import jobs
from harness.runs.trainings import JOB_FILE, Training, read_training, trainings_below
from harness.runs.watching import newest_job
from toolkit.core import atomic
from toolkit.core.errors import UsageError
from toolkit.training_runs.own_folder import PLAN_FILE, RECIPE_FILE

ELSEWHERE = "folders.txt"  # below the app's home: folders outside runs/ that a person named


class Run:
    """One training.

    Args:
        training: What its folder tells; None before there is one.
        job: The command that the app started; None if another program did.
    """

    def __init__(self, training: Training | None, job: jobs.Job | None) -> None:
        self.training, self.job = training, job
        if job:
            self.id, self.out, self.name = job.id, job.out, job.file.words[1]
            self.begun, self.state, self.fault = job.file.begun, job.state, job.fault
            self.command, self.output = job.command, job.output
            self.pictures = job.file.form.get("pictures", "")
        elif training:
            self.id, self.out, self.name = training.id, training.folder, training.name
            self.begun, self.state, self.fault = training.begun, training.state, None
            self.command, self.output = jobs.typed(self.words), ""
            self.pictures = Path(training.data).name

    @property
    def title(self) -> str:
        """What it is called."""
        return f"{self.name or 'a method without a name'} on {self.pictures or 'pictures'}"

    @property
    def words(self) -> list[str]:
        """The command that makes, or goes on with, a training that the app did not start."""
        recipe = newest_job(self.out) / RECIPE_FILE
        return ["train", self.name, f"--config={recipe}", f"--out={self.out}"]

    @property
    def recipe(self) -> Path:
        """The file with its settings; it is there once the training has begun or ended."""
        done = self.out / RECIPE_FILE
        return done if done.is_file() else newest_job(self.out) / RECIPE_FILE

    @property
    def can_stop(self) -> bool:
        """Whether it can be stopped from here without losing anything."""
        if self.state != "running":
            return False
        return bool(self.job or (self.training and self.training.can_stop))

    @property
    def can_go_on(self) -> bool:
        """Whether it can be gone on with from here."""
        return self.state in ("stopped", "failed") and bool(
            self.job or (self.name and self.recipe.is_file())
        )

    def stop(self) -> None:
        """Ask it to stop after its step.

        Raises:
            UsageError: That is not safe from here.
        """
        if self.job:
            self.job.stop()
        elif self.training:
            self.training.stop()

    def go_on(self, home: Path) -> str:
        """Go on with it; return the id under which it is shown from now on."""
        if self.job:
            self.job.start()
            return self.id
        form = {"pictures": self.pictures, "found": "yes"}
        return jobs.create(home, "train", self.words[1:], form).id


def all_runs(home: Path) -> list[Run]:
    """Return all trainings, the newest first; each folder once."""
    started: dict[Path, Run] = {}
    for job in jobs.all_of(home, "train"):
        started.setdefault(job.out.resolve(), Run(None, job))
    found = [*trainings_below(paths.RUNS), *filter(None, map(read_training, named(home)))]
    strangers = {one.folder: Run(one, None) for one in found if one.folder not in started}
    return sorted([*started.values(), *strangers.values()], key=lambda r: r.begun, reverse=True)


def find_run(home: Path, name: str) -> Run:
    """Return one training.

    Raises:
        UsageError: There is none of that name.
    """
    if not name.startswith("folder-"):
        return Run(None, jobs.find(home, name))
    for run in all_runs(home):
        if run.training and run.id == name:
            return run
    raise UsageError(f"There is no training {name[:40]!r}.", fix="Look at the list.")


def named(home: Path) -> list[Path]:
    """Return the folders of trainings outside runs/ that a person named."""
    file = home / ELSEWHERE
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [Path(line) for line in lines]


def show(home: Path, typed: str) -> str:
    """Show a training that lies outside runs/ from now on; return its id.

    Raises:
        UsageError: There is no training in the folder.
    """
    folder = Path(typed).expanduser().resolve()
    training = read_training(folder) if typed and "\n" not in typed else None
    if training is None:
        raise UsageError(
            "There is no training in this folder.",
            where=typed[:200],
            fix=f"Name the folder that was its --out: with {PLAN_FILE}, or job-0001/{JOB_FILE}.",
        )
    if not any(run.out.resolve() == folder for run in all_runs(home)):
        lines = "".join(f"{one}\n" for one in [*named(home), folder])
        atomic.write_text(home / ELSEWHERE, lines)
    return training.id
