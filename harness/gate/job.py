"""What the gate's child is asked."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from harness import paths
from harness.worker.jobs import Job


class GateJob(Job):
    """Run experiments of the correctness gate and let the probes read them."""

    data_dir: Path = Field(description="folder with Images/ and ImageCaptions/ of the track")
    experiments: tuple[str, ...]
    probes: tuple[str, ...] = Field(description="ids of the probes that are wanted; none = all")
    pages: Path = Field(default=paths.GATE_DOCS, description="where the probes' words are")
    limit_s: float = Field(default=180.0, gt=0, description="wall time of one experiment, seconds")
