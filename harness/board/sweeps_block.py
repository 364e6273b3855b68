"""The table of sweeps in docs/learning_rates.md, from what leaderboard/sweeps/ keeps."""

from __future__ import annotations

from pathlib import Path

from harness.board.collect import Board
from harness.runs.sweep_files import Sweep, folder, read_sweep
from toolkit.core.templates import render


def sweeps_block(board: Board) -> str:
    """Return the lines between the marks, marks included.

    Raises:
        UsageError: A sweep's file is damaged.
    """
    files = [
        file
        for track in board.tracks
        for file in sorted((folder() / track.file.name).glob("*.json"))
    ]
    found = [one for file in files if (one := read_sweep(file)) is not None]
    template = Path(__file__).with_name("templates") / "sweeps.md"
    return render(template, sweeps=found, gains=gains).rstrip()


def gains(found: Sweep) -> str:
    """Return each rate with its mean gain in percent, the chosen one in bold."""
    told = []
    for trial in found.trials:
        gain = f"{100 * trial.gain:.1f}" if trial.gains else "failed"
        text = f"{trial.learning_rate:g}: {gain}"
        told.append(f"**{text}**" if trial.learning_rate == found.chosen else text)
    return ", ".join(told)
