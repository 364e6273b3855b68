"""Name a run by everything its figures depend on, so that unchanged work is not done twice."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from pathlib import Path

from harness import paths
from harness.hookspecs import HOOK_NAMES
from harness.machine import installed_versions
from harness.records import Contribution
from harness.registry import content_hash
from harness.track import Track

LOCK = paths.ROOT / "requirements.txt"

# The parts of the harness that a figure passes through. The rest (checks, pages, commands) may
# change without making anybody train again.
MEASURING = (
    "worker",
    "artefact",
    "scoring",
    "steps",
    "comparison.py",
    "records.py",
    "plugins.py",
    "base_model.py",
    "pictures.py",
    "track.py",
)


def run_key(
    contribution: Contribution,
    reference: Contribution,
    track: Track,
    seeds: Sequence[int],
    device: str,
) -> str:
    """Return a hex digest over code, settings, protocol, packages, harness, seeds and device.

    The reference counts only when one of its hooks is used, so that work on ``src/`` does not make
    a contribution with four hooks of its own train again. Its verdict is another matter: see
    ``run_folders.finished_row``.
    """
    uses_reference = set(contribution.file.hooks) != set(HOOK_NAMES)
    parts = [
        contribution.content_hash,
        reference.content_hash if uses_reference else "",
        track.protocol_hash(),
        hashlib.sha256(LOCK.read_bytes()).hexdigest(),
        *(file_or_folder_hash(paths.ROOT / "harness" / part) for part in MEASURING),
        # Contributions may use them, and the reference does.
        *(content_hash(paths.ROOT / library) for library in paths.LIBRARIES),
        repr(tuple(seeds)),
        device,
        platform.python_version(),
        str(installed_versions(("torch",))),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def file_or_folder_hash(path: Path) -> str:
    """Return a digest of one file or of all files in a folder."""
    return content_hash(path) if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
