"""Name a run by everything its figures depend on, so that unchanged work is not done twice."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import paths
from harness.contributions.record import Contribution
from harness.protocol.machine import installed_versions, processor_name
from harness.protocol.track import Track
from toolkit.core.hashing import content_hash
from toolkit.core.settings import HOOK_NAMES

LOCK = paths.ROOT / "requirements.txt"

# Settings and their defaults, and what a contribution is.
RECORDS = ("toolkit/core/settings.py", "harness/contributions/record.py")

# What a figure passes through. The rest (checks, pages, commands) may change without making
# anybody train again.
MEASURING = (
    *RECORDS,
    "harness/contributions/recipes/combine.py",
    "harness/protocol",
    "harness/runs/steps",
    "harness/sandbox",
    "harness/scoring",
    "harness/worker",
    "toolkit/core/hashing.py",
    "toolkit/deltas",
    "toolkit/images",
)


def run_parts(
    contribution: Contribution,
    reference: Contribution,
    track: Track,
    seeds: Sequence[int],
    device: str,
    *,
    repeat_first: bool = False,
    shared: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return everything that a run's figures depend on: what it is -> a digest or value.

    To hash many contributions, compute ``shared_parts`` once and pass it in.

    The reference counts only when one of its hooks is used, so that work on ``src/`` does not make
    a contribution with four hooks of its own train again. Its verdict is another matter: see
    ``run_folders.finished_row``.
    """
    uses_reference = not all(contribution.code_of(hook) for hook in HOOK_NAMES)
    return {
        **{one.path: one.own_hash for one in contribution.folders},
        **recipe_parts(contribution),
        "src (the reference's hooks)": reference.content_hash if uses_reference else "",
        "seeds": repr((tuple(seeds), repeat_first)),
        **(shared_parts(track, device) if shared is None else shared),
    }


def shared_parts(track: Track, device: str) -> dict[str, str]:
    """Return what the figures of all runs on a track depend on: what it is -> a digest or value."""
    return {
        f"the protocol of the track {track.file.name}": track.protocol_hash(),
        LOCK.name: hashlib.sha256(LOCK.read_bytes()).hexdigest(),
        **{part: file_or_folder_hash(paths.ROOT / part) for part in MEASURING},
        # Contributions may use them, and the reference does.
        **{f"toolkit/{name}": content_hash(paths.TOOLKIT / name) for name in paths.LIBRARIES},
        "device": device,
        "Python": platform.python_version(),
        "torch": str(installed_versions(("torch",))),
    }


def base_key(shared: Mapping[str, str]) -> str:
    """Return a hex digest over what the base's measurement depends on, the processor too.

    Args:
        shared: See ``shared_parts``.
    """
    return hashlib.sha256("\n".join([*shared.values(), processor_name()]).encode()).hexdigest()


def recipe_parts(contribution: Contribution) -> dict[str, str]:
    """Return which hook of a recipe comes from where; nothing for what is no recipe."""
    taken = {hook: one.file.name for hook, one in contribution.parts.items()}
    return {"the recipe": repr(sorted(taken.items()))} if taken else {}


def run_key(
    contribution: Contribution,
    reference: Contribution,
    track: Track,
    seeds: Sequence[int],
    device: str,
    *,
    repeat_first: bool = False,
    shared: Mapping[str, str] | None = None,
) -> str:
    """Return a hex digest over ``run_parts``."""
    parts = run_parts(
        contribution, reference, track, seeds, device, repeat_first=repeat_first, shared=shared
    )
    return hashlib.sha256("\n".join(parts.values()).encode()).hexdigest()


def file_or_folder_hash(path: Path) -> str:
    """Return a digest of one file or of all files in a folder."""
    return content_hash(path) if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
