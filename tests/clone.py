"""A copy of the repository as a clone has it, with a budget that takes seconds."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from harness import paths

# Of the track `robot`: few steps and seeds, few points of the held-out loss, pictures half drawn.
BUDGET = {
    "steps": "4",
    "quick_seeds": "1",
    "timesteps": "[125, 375, 625, 875]",
    "noises_per_picture": "1",
    "num_inference_steps": "4",
}


def copy_hub(source: Path, target: Path) -> None:
    """Copy a repository without what machines make: environment, history, caches, ``runs/``.

    Bytecode is copied: children write none, so each of them would compile the hub anew.
    """
    made = shutil.ignore_patterns(".git", ".nox", ".*_cache", "venv")

    def skip(folder: str, names: list[str]) -> set[str]:
        # Only at the top: harness/runs/ is code.
        return made(folder, names) | ({"runs"} if Path(folder) == source else set())

    shutil.copytree(source, target, ignore=skip)


def clone(folder: Path, **budget: str) -> Path:
    """Copy the repository to ``folder / "hub"``; ``budget`` changes more lines of the track."""
    hub = folder / "hub"
    copy_hub(paths.ROOT, hub)
    track = hub / "tracks" / "robot" / "track.toml"
    text = track.read_text(encoding="utf-8")
    for field, value in {**BUDGET, **budget}.items():
        text, changed = re.subn(rf"(?m)^{field} = .*", f"{field} = {value}", text)
        assert changed == 1, field
    track.write_text(text, encoding="utf-8")
    draw_in_few_steps(hub / "toolkit" / "core" / "settings.py")
    return hub


def draw_in_few_steps(settings: Path) -> None:
    """Contributions draw with their own settings: 30 steps are most of a small run's cost."""
    text = settings.read_text(encoding="utf-8")
    field = "num_inference_steps: int = Field(default="
    assert text.count(f"{field}30,") == 1
    fewer = text.replace(f"{field}30,", f"{field}{BUDGET['num_inference_steps']},")
    settings.write_text(fewer, encoding="utf-8")


def small_clone(folder: Path, **budget: str) -> Path:
    """Clone with a random base of a few kilobytes: a worker then takes little more than its start.

    Args:
        folder: Where the clone is made, as ``folder / "hub"``.
        budget: More lines of the track, as for ``clone``.
    """
    from tests.src.support import build_pipeline

    hub = clone(folder, base_model='"models/random"', **budget)
    build_pipeline(layers_per_block=1).save_pretrained(hub / "models" / "random")
    return hub
