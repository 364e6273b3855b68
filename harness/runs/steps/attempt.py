"""What all steps of one run share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.contributions.record import Contribution
from harness.contributions.registry import is_reference
from harness.protocol.track import Track
from harness.worker.jobs import seed_folder

# One thread per process: figures do not depend on how many cores a machine has, and the pool fills
# those with tasks.
THREADS = 1


@dataclass(frozen=True)
class Attempt:
    """One try at one run: who, on what, with which seeds, where the files go."""

    contribution: Contribution
    reference: Contribution
    track: Track
    seeds: tuple[int, ...]
    again: int | None  # the seed that is trained a second time, to see if it repeats
    device: str
    folder: Path
    reference_folder: Path
    base: Path  # of the measurement of the untouched base, shared by all runs on the track
    parts: dict[str, str]  # what the figures depend on, for `why-stale`

    @property
    def is_reference(self) -> bool:
        """Whether the contribution is the reference itself."""
        return is_reference(self.contribution)

    @property
    def clock(self) -> Path:
        """Folder of the reference's training that is there for its time only."""
        return self.reference_folder / "clock"

    def training(self, seed: int, *, of_reference: bool = False) -> Path:
        """Return the folder of a training."""
        return seed_folder((self.reference_folder if of_reference else self.folder) / "train", seed)

    def scoring(self, seed: int, *, of_reference: bool = False) -> Path:
        """Return the folder of a scoring."""
        return seed_folder((self.reference_folder if of_reference else self.folder) / "score", seed)
