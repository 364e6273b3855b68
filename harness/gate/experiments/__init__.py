"""The experiments: each runs the contribution's hooks once and keeps what was seen.

The order matters: importing comes first, while the process is still untouched.
"""

from __future__ import annotations

EXPERIMENTS: tuple[str, ...] = (
    "importing",
    "profile_dataset",
    "adapter",
    "profile_adapter",
    "training",
    "profile_training",
    "repeats",
    "continuing",
    "profile_drawing",
    "learning",
    "leftovers",
)
