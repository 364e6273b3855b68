"""Trainings of `nox -s train` wherever they were started: found by their folders, read, stopped.

Nothing in such a folder is believed more than a stranger's word: a contribution's own code wrote
in it. Names are matched against their pattern, and files are read, never run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from harness.contributions import registry
from harness.contributions.record import NAME_PATTERN
from harness.runs.watching import newest_job
from harness.worker.jobs import FinetuneJob
from toolkit.core.errors import HubError, UsageError
from toolkit.core.locks import Holder, holder
from toolkit.core.native_size import native_size_px
from toolkit.core.record import Record
from toolkit.core.settings import TABLES, Settings
from toolkit.training_runs.checkpoints import GUARD
from toolkit.training_runs.own_folder import ADAPTERS, LOCK, PLAN_FILE
from toolkit.training_runs.presets import TINY_BELOW_PX, TINY_FACTOR

JOB_FILE, STOP_FILE = "job.json", "stop"
# How deep below runs/ a folder of a training is looked for: `runs/trained/NAME` and two more.
DEPTHS = ("*", "*/*", "*/*/*", "*/*/*/*")
OF_THE_PICTURES = ("trigger_word",)  # a contribution is measured on other pictures
RATES = {"learning_rate", "text_encoder_learning_rate"}
MOST_BYTES = 4 << 20  # of a plan; one with 2000 pictures has 200 kB

State = Literal["running", "done", "stopped"]


class Training(NamedTuple):
    """A training as its folder tells of it."""

    folder: Path
    name: str  # of the contribution; "" if it says none that can be
    data: str  # folder of the pictures
    base: str
    state: State
    begun_s: float  # Unix time
    holder: Holder | None  # the process that trains, if one does

    @property
    def id(self) -> str:
        """A short name for an address: the same as long as it lies where it does."""
        return f"folder-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]}"

    @property
    def begun(self) -> str:
        """When it was begun, UTC, to the minute."""
        return f"{datetime.fromtimestamp(self.begun_s, UTC):%Y-%m-%d %H:%M}"

    @property
    def keeps_steps(self) -> bool:
        """Whether it can be stopped without losing what it has learnt so far.

        It can if the loop is the reference's, which offers its state, or if it has kept one before.
        """
        if any((newest_job(self.folder) / "checkpoints").glob(f"step-*/{GUARD}")):
            return True
        try:
            origin = registry.load_any(self.name).code_of("train")
        except HubError:
            return False
        return origin is None or registry.is_reference(origin)

    @property
    def can_stop(self) -> bool:
        """Whether `stop` would be heard and would lose nothing."""
        has_job = (newest_job(self.folder) / JOB_FILE).is_file()
        return self.state == "running" and has_job and self.keeps_steps

    def stop(self) -> None:
        """Ask it to finish its step, keep it and end: by the file that its own parent would write.

        Raises:
            UsageError: It is not running, or would lose what it has learnt.
        """
        if not self.can_stop:
            raise UsageError(
                "This training cannot be stopped from here without losing what it has learnt.",
                where=str(self.folder),
                fix="Press Ctrl-C where it was started.",
            )
        place = newest_job(self.folder)
        # The folder is the training's own: a link in it must not lead elsewhere.
        flags = os.O_CREAT | os.O_WRONLY | os.O_EXCL
        with contextlib.suppress(FileExistsError):
            os.close(os.open(place / STOP_FILE, flags))


def trainings_below(root: Path) -> list[Training]:
    """Return the trainings in a folder's folders, the newest first."""
    found = (read_training(folder) for folder in sorted(set(folders_below(root))))
    return sorted((one for one in found if one), key=lambda one: one.begun_s, reverse=True)


def folders_below(root: Path) -> Iterator[Path]:
    """Yield the folders that look like one of a training."""
    for depth in DEPTHS:
        for plan in root.glob(f"{depth}/{PLAN_FILE}"):
            if not plan.parent.name.startswith("job-"):
                yield plan.parent
        for job in root.glob(f"{depth}/job-[0-9][0-9][0-9][0-9]/{JOB_FILE}"):
            yield job.parent.parent


def read_training(folder: Path) -> Training | None:
    """Return what a folder tells of the training in it; None if it is no training's."""
    job = newest_job(folder)
    about = plan_in(job / JOB_FILE) or plan_in(folder / PLAN_FILE)
    if about is None:
        return None
    plan, begun_s = about
    holding = holder(folder / LOCK)
    holding = holding if holding is not None and holding.is_alive else None
    done = any((folder / name).is_file() for name in ADAPTERS)
    name = plan.get("name")
    return Training(
        folder=folder.resolve(),
        name=name if isinstance(name, str) and NAME_PATTERN.fullmatch(name) else "",
        data=str(plan.get("data_dir", "")),
        base=str(plan.get("base", "")),
        state="running" if holding else "done" if done else "stopped",
        begun_s=begun_s,
        holder=holding,
    )


class Typed(NamedTuple):
    """Which settings were typed for a training."""

    name: str  # of the contribution
    tables: dict[str, dict[str, Any]]  # table of a contribution.toml -> field -> value
    left_out: tuple[str, ...]  # options that a contribution has no field for


def typed_settings(folder: Path) -> Typed:
    """Return the settings that were typed for a training, as a contribution.toml has them.

    Raises:
        UsageError: The folder holds no training of `nox -s train`.
    """
    try:
        file = newest_job(folder) / JOB_FILE
        job = FinetuneJob.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError(
            "The folder holds no training of `nox -s train`.",
            where=str(folder),
            fix="Name the one that was its --out, such as runs/trained/NAME.",
        ) from error
    plan, settings = job.plan, Settings()
    tables: dict[str, dict[str, Any]] = {}
    left_out = []
    for hook, options in job.typed.items():
        fields = type(settings.of(hook)).model_fields
        chosen: Record = {"dataset": plan.dataset, "lora": plan.lora, "train": plan.train}[
            TABLES[hook]
        ]
        for field, option in options.items():
            if field in fields and field not in OF_THE_PICTURES:
                tables.setdefault(TABLES[hook], {})[field] = getattr(chosen, field)
            else:
                left_out.append(option)
    if native_size_px(Path(plan.base)) >= TINY_BELOW_PX and plan.train.optimizer != "prodigy":
        # Contributions are tuned on the embedded base, and larger ones get a tenth of that.
        for field in RATES & tables.get("train", {}).keys():
            tables["train"][field] *= TINY_FACTOR
    return Typed(plan.name, tables, tuple(left_out))


def plan_in(file: Path) -> tuple[dict[str, Any], float] | None:
    """Return the plan in a file of a training and when it was written, Unix time."""
    try:
        about = file.stat()
        found = json.loads(file.read_bytes()) if about.st_size <= MOST_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None
    plan = found.get("plan", found) if isinstance(found, dict) else None
    if isinstance(plan, dict) and "fingerprints" in plan:
        return plan, about.st_mtime
    return None
