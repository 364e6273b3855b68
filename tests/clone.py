"""A copy of the repository as a clone has it, with a budget that takes seconds."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from harness import paths

# Of the track `robot`: few steps, few points of the held-out loss, pictures half drawn.
BUDGET = {
    "steps": "4",
    "timesteps": "[125, 375, 625, 875]",
    "noises_per_picture": "1",
    "num_inference_steps": "4",
}


def ignored_below(root: Path) -> Callable[[str, list[str]], set[str]]:
    """Return what leaves out of a copy of ``root`` what git ignores.

    ``runs`` at the top is what commands leave; ``harness/runs`` is code. Bytecode is copied, too:
    children write none, so each of them would compile the hub anew.
    """
    anywhere = shutil.ignore_patterns(".git", ".nox", ".*_cache", "venv")
    at_the_top = shutil.ignore_patterns("runs")

    def ignored(folder: str, names: list[str]) -> set[str]:
        return anywhere(folder, names) | (
            at_the_top(folder, names) if Path(folder) == root else set()
        )

    return ignored


def clone(folder: Path, **budget: str) -> Path:
    """Copy the repository to ``folder / "hub"``; ``budget`` changes more lines of the track."""
    hub = folder / "hub"
    shutil.copytree(paths.ROOT, hub, ignore=ignored_below(paths.ROOT))
    track = hub / "tracks" / "robot" / "track.toml"
    text = track.read_text(encoding="utf-8")
    for field, value in {**BUDGET, **budget}.items():
        text, changed = re.subn(rf"(?m)^{field} = .*", f"{field} = {value}", text)
        assert changed == 1, field
    track.write_text(text, encoding="utf-8")
    return hub


def small_clone(folder: Path, **budget: str) -> Path:
    """Clone with a random base of a few kilobytes: a worker then only takes its start."""
    from tests.src.support import build_pipeline

    hub = clone(folder, base_model='"models/random"', **budget)
    build_pipeline().save_pretrained(hub / "models" / "random")
    return hub
