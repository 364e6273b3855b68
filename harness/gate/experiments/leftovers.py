"""What the hooks left behind in the process, after all other experiments."""

from __future__ import annotations

from dataclasses import dataclass

from harness.gate.audit import changes, global_state, live_threads
from harness.gate.experiments.context import Context


@dataclass
class LeftoversSeen:
    """What differs from before the first experiment."""

    changed: list[str]
    threads: list[str]


def run(context: Context) -> LeftoversSeen:
    """Compare the process with how it was after the contribution had been imported."""
    return LeftoversSeen(
        changed=changes(context.shared["state"], global_state()),
        threads=sorted(live_threads() - context.shared["threads"]),
    )
