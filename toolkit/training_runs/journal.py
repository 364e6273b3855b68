"""The log of a run: one line of JSON per event, and TensorBoard's event files when asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from toolkit.core import atomic
from toolkit.core.errors import EnvironmentFault

LOG_FILE = "log.jsonl"


class Journal:
    """Writes what happens at which step.

    Args:
        folder: Where ``log.jsonl`` and ``tensorboard/`` go.
        tensorboard: Whether to write event files too.

    Raises:
        EnvironmentFault: TensorBoard was asked for and is not installed.
    """

    def __init__(self, folder: Path, *, tensorboard: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / LOG_FILE
        self._writer: Any = open_tensorboard(folder / "tensorboard") if tensorboard else None

    def forget_after(self, step: int) -> None:
        """Drop the lines of later steps: a resumed run makes those steps again."""
        if not self._path.is_file():
            return
        lines = self._path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if step_of(line) <= step]
        atomic.write_text(self._path, "".join(f"{line}\n" for line in kept))

    def write(self, step: int, **values: float) -> None:
        """Add one line, and a point to each TensorBoard curve."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Make sure that everything is on disk."""
        if self._writer is not None:
            self._writer.close()


def step_of(line: str) -> float:
    """Return the step of a log line; a line that was cut short belongs to no step."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def open_tensorboard(folder: Path) -> Any:
    """Return TensorBoard's own writer.

    Raises:
        EnvironmentFault: It is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise EnvironmentFault(
            "TensorBoard event files were asked for, but tensorboard is not installed.",
            fix="python -m pip install tensorboard, or leave --tensorboard out: log.jsonl has all.",
        ) from error
    return SummaryWriter(str(folder))
