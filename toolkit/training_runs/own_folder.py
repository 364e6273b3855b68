"""The folder of a run: what runs wrote there is replaced or removed, never a person's files."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.core.errors import UsageError
from toolkit.core.locks import Busy, held

LOCK = ".run"  # .run.lock and .run.owner
PLAN_FILE, RECIPE_FILE, SHEET_FILE = "plan.json", "plan.toml", "samples.png"
ADAPTERS = ("adapter.safetensors", "lora.safetensors", "delta.safetensors")
RESULTS = (*ADAPTERS, SHEET_FILE, "log.jsonl", PLAN_FILE, RECIPE_FILE)
LOCK = ".run"  # .run.lock and .run.owner
# Folder -> the names that a run gives in it.
PARTS = {
    "samples": ("base-*.png", "step-*.png"),
    "checkpoints": ("step-*", ".step-*.tmp"),
    "tensorboard": ("events.out.tfevents.*",),
    ".": ("job-[0-9][0-9][0-9][0-9]", "pictures-of-the-run"),
}


def claim(out: Path, data: Path) -> None:
    """Make sure that a run may write into a folder.

    Raises:
        UsageError: It lies in the folder of the pictures, holds that, is a file, or holds files
            that no run wrote.
    """
    place, pictures = out.resolve(), data.resolve()
    if place == pictures or pictures in place.parents:
        raise UsageError(
            "--out lies in the folder of the pictures.",
            where=str(out),
            fix="Name a folder elsewhere: results and pictures would be taken for each other.",
        )
    if out.exists() and not out.is_dir():
        raise UsageError("--out is a file.", where=str(out), fix="Name a folder.")
    if not out.is_dir() or is_run(out):
        return
    there = sorted(path.name for path in out.iterdir() if not path.name.startswith(LOCK))
    if there:
        more = f" and {len(there) - 3} more" if len(there) > 3 else ""
        raise UsageError(
            f"--out holds files that no training wrote: {', '.join(there[:3])}{more}.",
            where=str(out),
            fix="Name a folder that is not there yet, or an empty one.",
        )


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Let no other process train into a folder inside the block.

    Raises:
        UsageError: One does; says which.
    """
    try:
        with held(out / LOCK):
            yield
    except Busy as error:
        raise UsageError(
            f"Another run is at work in this folder: {error}.",
            where=str(out),
            fix="Wait until it is done, stop it, or name another --out.",
        ) from error


def is_run(folder: Path) -> bool:
    """Tell whether a training of the hub has begun or ended in a folder."""
    if any(folder.glob("job-[0-9]*/job.json")):
        return True
    try:
        plan = json.loads((folder / PLAN_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(plan, dict) and "fingerprints" in plan


def clear(folder: Path) -> None:
    """Remove what earlier runs left in a folder, and nothing else."""
    if not folder.is_dir() or not is_run(folder):
        return
    for part, patterns in PARTS.items():
        for path in [path for pattern in patterns for path in (folder / part).glob(pattern)]:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        with contextlib.suppress(OSError):  # not empty, or not there
            (folder / part).rmdir()
    for name in RESULTS:
        (folder / name).unlink(missing_ok=True)
