"""Where things are, relative to the repository. The only file that knows the layout."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

CONTRIBUTIONS = ROOT / "CONTRIBUTIONS"
REFERENCE = ROOT / "src"
TRACKS = ROOT / "tracks"
CONTROLS = TRACKS / "controls"
RESULTS = ROOT / "leaderboard" / "results"
REGISTRY = ROOT / "registry.toml"
# HUB_RUNS: elsewhere, such as a cluster node's own disk.
RUNS = Path(os.environ["HUB_RUNS"]).resolve() if os.environ.get("HUB_RUNS") else ROOT / "runs"
TOOLKIT = ROOT / "toolkit"
# The rooms of the toolkit that src/ and every contribution may import; by name, because a
# contribution's folder may be checked in another repository.
LIBRARIES = (
    "base_models",
    "drawings",
    "fast_layers",
    "lora_files",
    "peft_adapters",
    "picture_sets",
    "training_runs",
)
CHECK_DOCS = ROOT / "docs" / "checks"
GATE_DOCS = ROOT / "docs" / "gate"
