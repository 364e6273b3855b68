"""States of a run on disk: written atomically, verified when read, the last few kept.

    checkpoints/step-000200/state.safetensors   weights and moments
                            state.json          losses, numbers, what the run is
                            whole.json          sizes and digests of the two, written last

A folder without a fitting ``whole.json`` is not a checkpoint, whatever is in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from toolkit.core.errors import UsageError
from toolkit.core.reporting import TrainState

from .plan import differences

TENSORS, VALUES, GUARD = "state.safetensors", "state.json", "whole.json"


class Checkpoint(NamedTuple):
    """A state with the step it was taken after."""

    step: int
    state: TrainState
    identity: dict[str, Any]  # of the run that wrote it


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: Where they are.
        keep: How many of the newest stay.
        say: Told when one is damaged.
    """

    def __init__(self, folder: Path, keep: int, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._keep = keep
        self._say = say

    def write(self, step: int, state: TrainState, identity: dict[str, Any]) -> Path:
        """Write a state; it appears under its name only when it is complete and on disk."""
        from toolkit.lora_files.shared import save_tensors

        self._folder.mkdir(parents=True, exist_ok=True)
        final = self._folder / f"step-{step:06d}"
        temporary = self._folder / f".{final.name}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        save_tensors(state.tensors, temporary / TENSORS, {})
        values = {"step": step, "identity": identity, "values": state.values}
        (temporary / VALUES).write_text(json.dumps(values), encoding="utf-8")
        guard = {name: digest(temporary / name) for name in (TENSORS, VALUES)}
        for name in (TENSORS, VALUES):
            flush(temporary / name)
        (temporary / GUARD).write_text(json.dumps(guard), encoding="utf-8")
        flush(temporary / GUARD)
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
        for old in self.folders()[self._keep :]:
            shutil.rmtree(old)
        return final

    def folders(self) -> list[Path]:
        """Return the folders that look like checkpoints, newest first."""
        return sorted(self._folder.glob("step-*"), reverse=True)

    def newest(self, identity: dict[str, Any]) -> Checkpoint | None:
        """Return the newest whole checkpoint, or None when there is none.

        Raises:
            UsageError: It belongs to another configuration or other pictures; says which.
        """
        folder = self.find(identity)
        if folder is None:
            return None
        from toolkit.lora_files.shared import load_tensors

        saved = json.loads((folder / VALUES).read_text(encoding="utf-8"))
        state = TrainState(load_tensors(folder / TENSORS), saved["values"])
        return Checkpoint(saved["step"], state, saved["identity"])

    def begun(self, folder: Path) -> tuple[int, dict[str, Any]]:
        """Return after which step a whole checkpoint was taken, and the identity of its run."""
        saved = json.loads((folder / VALUES).read_text(encoding="utf-8"))
        return saved["step"], saved["identity"]

    def find(self, identity: dict[str, Any]) -> Path | None:
        """Return the folder of the newest whole checkpoint, or None; imports no torch.

        Raises:
            UsageError: It belongs to another configuration or other pictures; says which.
        """
        for folder in self.folders():
            fault = damage(folder)
            if fault:
                self._say(f"The checkpoint {folder.name} is passed over: {fault}.")
                continue
            saved = json.loads((folder / VALUES).read_text(encoding="utf-8"))
            changes = differences(saved["identity"], json.loads(json.dumps(identity)))
            if changes:
                raise UsageError(
                    "This folder holds a run with other settings: " + "; ".join(changes) + ".",
                    where=str(self._folder.parent),
                    fix="Type the same settings to go on, --fresh to start over, or another --out.",
                )
            if saved["step"] > identity["train.steps"]:
                raise UsageError(
                    f"This run has made {saved['step']} steps already, and --steps is "
                    f"{identity['train.steps']}.",
                    where=str(self._folder.parent),
                    fix="Ask for more steps, --fresh to start over, or another --out.",
                )
            return folder
        return None


def damage(folder: Path) -> str | None:
    """Say what is wrong with a checkpoint, or return None."""
    try:
        guard = json.loads((folder / GUARD).read_text(encoding="utf-8"))
        wrong = [name for name in (TENSORS, VALUES) if guard[name] != digest(folder / name)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"it is not complete ({type(error).__name__})"
    return f"{' and '.join(wrong)} changed since it was written" if wrong else None


def digest(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Wait until a file is on disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
