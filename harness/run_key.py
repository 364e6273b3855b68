"""Name a run by everything its figures depend on, so that unchanged work is not done twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from harness import paths
from harness.hookspecs import HOOK_NAMES
from harness.records import Contribution
from harness.registry import content_hash
from harness.track import Track

LOCK = paths.ROOT / "requirements.txt"


def run_key(
    contribution: Contribution,
    reference: Contribution,
    track: Track,
    seeds: Sequence[int],
    device: str,
) -> str:
    """Return a hex digest over code, settings, protocol, packages, harness, seeds and device.

    The reference counts only when one of its hooks is used, so that work on ``src/`` does not make
    a contribution with four hooks of its own train again.
    """
    uses_reference = set(contribution.file.hooks) != set(HOOK_NAMES)
    parts = [
        contribution.content_hash,
        reference.content_hash if uses_reference else "",
        track.protocol_hash(),
        hashlib.sha256(LOCK.read_bytes()).hexdigest(),
        content_hash(paths.ROOT / "harness"),
        repr(tuple(seeds)),
        device,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
