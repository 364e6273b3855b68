"""A track small enough to be scored in seconds on random weights."""

from __future__ import annotations

from harness import paths
from harness.protocol.track import load_track
from harness.protocol.track_file import GridSpec, Sampling, TrackFile
from harness.scoring.jobs import ScoreJob


def small_track(**changes: object) -> TrackFile:
    """The robot track with a small grid and two sampling steps."""
    file = load_track("robot").file
    update: dict[str, object] = {
        "grid": GridSpec(timesteps=(50, 500, 950), noises_per_picture=1, seed=5),
        "sampling": Sampling(num_inference_steps=2),
    }
    return TrackFile.model_validate(file.model_dump() | update | changes)


def score_job(base, out, entries=(), **changes):
    """A job on the robot track's pictures."""
    pictures = paths.TRACKS / "robot"
    fields = {
        "track": small_track(),
        "base_model": str(base),
        "train_dir": pictures / "train",
        "heldout_dir": pictures / "heldout",
        "contrast_dir": pictures / "contrast",
        "rivals_dir": pictures / "rivals",
        "entries": entries,
        "out": out,
    }
    return ScoreJob(**(fields | changes))
