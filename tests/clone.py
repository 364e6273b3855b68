"""A copy of the repository as a clone has it, with a budget that takes seconds."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from harness import paths

# Of the track `robot`: few steps, few points of the held-out loss, pictures half drawn.
BUDGET = {
    "steps": "4",
    "timesteps": "[125, 375, 625, 875]",
    "noises_per_picture": "1",
    "num_inference_steps": "4",
}


def clone(folder: Path, **budget: str) -> Path:
    """Copy the repository to ``folder / "hub"``; ``budget`` changes more lines of the track."""
    hub = folder / "hub"
    skip = shutil.ignore_patterns(".git", ".nox", "runs", "__pycache__", ".*_cache", "venv")
    shutil.copytree(paths.ROOT, hub, ignore=skip)
    track = hub / "tracks" / "robot" / "track.toml"
    text = track.read_text(encoding="utf-8")
    for field, value in {**BUDGET, **budget}.items():
        text, changed = re.subn(rf"(?m)^{field} = .*", f"{field} = {value}", text)
        assert changed == 1, field
    track.write_text(text, encoding="utf-8")
    return hub
