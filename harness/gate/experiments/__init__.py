"""The experiments: each runs the contribution's hooks once and keeps what was seen.

The order matters: importing comes first, while the process is still untouched.
"""

from __future__ import annotations

EXPERIMENTS: tuple[str, ...] = (
    "importing",
    "dataset",
    "adapter",
    "training",
    "oracle",
    "repeats",
    "continuing",
    "velocity",
    "generation",
    "learning",
    "leftovers",
)
