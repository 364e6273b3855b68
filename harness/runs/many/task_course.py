"""The course of one task: its run, and whatever goes wrong as part of the result."""

from __future__ import annotations

import base64
import platform

from harness import paths
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.row import ErrorReport
from harness.protocol.track import Track, load_track
from harness.runs.confirm import confirmed_course
from harness.runs.folders import SHEET_FILE
from harness.runs.graph.course import Course
from harness.runs.many.plan import ground_of, key_of
from harness.runs.many.tasks import Task, TaskResult
from harness.runs.pipeline import Options, run_course
from harness.sandbox.choose import choose
from harness.sandbox.trust import require_trust
from toolkit.core.errors import EnvironmentFault, HubError
from toolkit.core.progress import Progress


def task_course(task: Task, progress: Progress) -> Course[TaskResult]:
    """Carry out one task; a fault that no row describes is part of the result.

    Its ``seconds`` are left to the executor, which knows them.
    """
    try:
        contribution, track = registry.load_any(task.contribution), load_track(task.track)
        require_same_key(task, contribution, track)
        layer = choose(task.isolation)
        notice = require_trust(contribution, layer, trusted=task.trust)
        if notice:
            progress.update(contribution.name, 0.0, notice)
        options = Options(
            seeds=task.seeds,
            device=task.device,
            fresh=task.fresh,
            skip_gate=task.skip_gate,
            thorough=task.thorough,
        )
        course = confirmed_course if task.thorough else run_course
        finished = yield from course(contribution, track, options, progress)
    except HubError as error:
        return TaskResult(
            contribution=task.contribution,
            track=task.track,
            status="error",
            error=ErrorReport(
                kind=type(error).__name__, what=error.what, where=error.where, fix=error.fix
            ),
        )
    sheet = finished.folder / SHEET_FILE
    return TaskResult(
        contribution=task.contribution,
        track=task.track,
        status=finished.row.status,
        reused=finished.reused,
        row=finished.row,
        error=finished.row.error,
        folder=finished.folder.relative_to(paths.RUNS).as_posix(),
        sheet=base64.b64encode(sheet.read_bytes()) if sheet.is_file() else None,
    )


def require_same_key(task: Task, contribution: Contribution, track: Track) -> None:
    """Make sure that this machine would compute what was planned.

    Raises:
        EnvironmentFault: Its code, pictures, base, packages or Python differ from the planner's.
    """
    if task.key is None:
        return
    seeds = task.seeds or track.file.seeds[: None if task.thorough else track.file.quick_seeds]
    key = key_of(ground_of(track, task.device), contribution, seeds)
    if key != task.key:
        raise EnvironmentFault(
            f"This machine would compute something else: its run key is {key[:12]}, the plan's "
            f"{task.key[:12]}.",
            where=f"{platform.node()}:{paths.ROOT}",
            fix="Give it the same commit, packages (requirements.txt) and Python as the planner.",
        )
