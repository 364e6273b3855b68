"""What all steps of one run share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.contributions.record import Contribution
from harness.contributions.registry import is_reference
from harness.protocol.track import Track
from toolkit.core.progress import Progress

# One thread per process: figures do not depend on how many cores a machine has, and tasks run side
# by side.
THREADS = 1


@dataclass(frozen=True)
class Attempt:
    """One try at one run: who, on what, with which seeds, where the files go."""

    contribution: Contribution
    reference: Contribution
    track: Track
    seeds: tuple[int, ...]
    device: str
    folder: Path
    reference_folder: Path
    fresh: bool
    repeat_first: bool
    base_folder: Path  # of the base's measurement, shared by all runs on this machine
    parts: dict[str, str]  # what the figures depend on, for `why-stale`
    progress: Progress

    @property
    def is_reference(self) -> bool:
        """Whether the contribution is the reference itself."""
        return is_reference(self.contribution)

    @property
    def own_training(self) -> Path:
        """Folder of the contribution's training."""
        return self.folder / "train"

    @property
    def reference_training(self) -> Path:
        """Folder of the reference's training, shared by all runs with the same key."""
        return self.reference_folder / "train"

    @property
    def pace(self) -> Path:
        """Folder of the reference's training that only sets the pace: its cost is the yardstick."""
        return self.folder / "pace"

    @property
    def own_scoring(self) -> Path:
        """Folder of the contribution's scorer."""
        return self.folder / "score"

    @property
    def reference_scoring(self) -> Path:
        """Folder of the reference's scorer, shared like its training."""
        return self.reference_folder / "score"
