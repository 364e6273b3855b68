"""How long the correctness gates of a contest will take: as long as the reference's did here."""

from __future__ import annotations

from collections.abc import Iterable

from harness.contributions import registry
from harness.protocol.gate_track import gate_track
from harness.protocol.track import Track
from harness.runs.steps.gate import known_report, run_gates
from toolkit.core.progress import Progress


def gates_ahead(
    names: Iterable[str], track: Track, progress: Progress, *, fresh: bool
) -> dict[str, float]:
    """Foretell the gates that a contest still has before it.

    No contest goes without the reference's gate. So that is run now, unless it is known, and the
    others are expected to take as long.

    Args:
        names: The contributions of the contest.
        track: Where they run.
        progress: Told how far the reference's gate has come.
        fresh: Whether gates that were passed here are run again.

    Returns:
        Seconds for each contribution whose gate is ahead.
    """
    reference, ground = registry.load_reference(), gate_track(track)
    (measured,) = run_gates([reference], reference, ground, progress)
    found = {name: registry.load_any(name) for name in names}
    return {
        name: measured.wall_seconds
        for name, one in found.items()
        if not registry.is_control(one) and (fresh or not known_report(one, reference, ground))
    }
