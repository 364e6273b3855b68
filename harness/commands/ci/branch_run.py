"""The second job: run one contribution of a commit with the base branch's hub."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness import paths
from harness.commands.ci.export import export_folder
from harness.commands.ci.path_rule import FOLDER, check_sizes, is_name
from harness.contributions.registry import control_names
from harness.protocol.row import Row
from harness.protocol.row_files import read_row
from harness.runs.folders import PAGE_FILE, ROW_FILE, SHEET_FILE
from harness.runs.steps.gate import GATE_RUNS, REPORT_FILE
from toolkit.core.errors import ResultFileError, UsageError
from toolkit.core.git import Blob, Repository
from toolkit.core.settings import REFERENCE_NAME

GATE_FILE = "gate.json"  # what the gate says of it, beside the row
KEPT = (ROW_FILE, PAGE_FILE, SHEET_FILE)


def run_from_commit(
    repository: Repository,
    base: str,
    head: str,
    name: str,
    tracks: Sequence[str],
    options: Sequence[str],
    out: Path,
    *,
    recorded: bool = False,
) -> list[Row]:
    """Run ``name`` as it is in ``head`` with everything else as it is in ``base``.

    Args:
        repository: Holds both commits; a temporary work tree of ``base`` is made from it.
        base: Whose harness, reference, tracks and base model are used.
        head: Whose ``CONTRIBUTIONS/<name>`` is run.
        name: The contribution.
        tracks: On which tracks, one after the other.
        options: More words for ``python -m harness contribution``.
        out: Row, page and sheet go to ``<out>/<track>/<name>/``.
        recorded: Run as for the board: with all seeds of the track.

    Returns:
        One row for each track.

    Raises:
        UsageError: The name cannot be one, or git does not know a commit.
        ResultFileError: A run left no row.
    """
    if not is_name(name):
        raise UsageError(f"{name!r} cannot be the name of a contribution.")
    base, head = repository.commit(base), repository.commit(head)
    # Reference and controls are parts of the hub, so they are the base's.
    hubs_own = name == REFERENCE_NAME or name in control_names()
    blobs = [] if hubs_own else acceptable_files(repository, head, name)
    with work_tree(repository, base) as hub:
        if blobs:
            shutil.rmtree(hub / FOLDER / name, ignore_errors=True)
            export_folder(repository, blobs, hub)
        return [
            run_on_track(hub, name, track, options, out / track / name, recorded=recorded)
            for track in tracks
        ]


def run_on_track(
    hub: Path, name: str, track: str, options: Sequence[str], target: Path, *, recorded: bool
) -> Row:
    """Run one contribution of a work tree and copy what it left to ``target``.

    Raises:
        ResultFileError: It left no row.
    """
    word = (
        f"{paths.CONTROLS.relative_to(paths.ROOT).as_posix()}/{name}"
        if name in control_names()
        else name
    )
    command = [sys.executable, "-m", "harness", "contribution", word, "--track", track, *options]
    board = hub / "leaderboard" / "results" / track
    if recorded:
        command.append("--record")
        for suffix in (".json", ".webp"):  # what is there afterwards is of this run
            (board / f"{name}{suffix}").unlink(missing_ok=True)
    with workflow_commands_off():
        subprocess.run(command, cwd=hub, check=False)  # noqa: S603 - the name is checked
    rows = (hub / "runs" / track / name).glob(f"*/{ROW_FILE}")
    newest = max(rows, key=lambda path: path.stat().st_mtime_ns, default=None)
    if newest is None:
        raise ResultFileError(
            f"{name} left no row on {track}.", where="runs/", fix="Its output above says why."
        )
    kept = {file: newest.parent / file for file in KEPT}
    if recorded:
        # A board's row is put together of several runs and lies where the board keeps it.
        kept |= {ROW_FILE: board / f"{name}.json", SHEET_FILE: board / f"{name}.webp"}
    if not kept[ROW_FILE].is_file():
        raise ResultFileError(
            f"{name} left no row for the board of {track}.", fix="Its output above says why."
        )
    reports = (hub / "runs" / GATE_RUNS / name).glob(f"*/{REPORT_FILE}")
    judged = max(reports, key=lambda path: path.stat().st_mtime_ns, default=None)
    if judged is not None:
        kept[GATE_FILE] = judged
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for file, source in kept.items():
        if source.is_file():
            shutil.copyfile(source, target / file)
    return read_row(target / ROW_FILE)


def acceptable_files(repository: Repository, commit: str, name: str) -> list[Blob]:
    """List a contribution's files in a commit.

    Raises:
        UsageError: There are none, or too many, or they are too large.
    """
    blobs = repository.files(commit, f"{FOLDER}/{name}")
    if not blobs:
        raise UsageError(f"There is no {FOLDER}/{name} in {commit[:12]}.")
    too_large = check_sizes(blobs)
    if too_large:
        raise UsageError(too_large[0].message, where=too_large[0].path)
    return blobs


@contextmanager
def work_tree(repository: Repository, commit: str) -> Iterator[Path]:
    """Yield a temporary checkout of a commit, and take it away again.

    It lies in runs/, not in the system's temporary folder, which the isolation layers hide.
    """
    place = paths.RUNS / "ci"
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hub-", dir=place) as temporary:
        folder = Path(temporary) / "hub"
        repository.run("worktree", "add", "--quiet", "--detach", "--", str(folder), commit)
        try:
            yield folder
        finally:
            repository.run("worktree", "remove", "--force", "--", str(folder))


@contextmanager
def workflow_commands_off() -> Iterator[None]:
    """Keep what a contribution prints from steering the job: its ``::error::`` is only text."""
    token = f"hub-{secrets.token_hex(16)}"
    print(f"::stop-commands::{token}", flush=True)
    try:
        yield
    finally:
        print(f"::{token}::", flush=True)
