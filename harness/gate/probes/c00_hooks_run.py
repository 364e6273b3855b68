"""HUB-C00: the hooks come to their end on a tiny model. The worker itself reports it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.gate.probe import Probe, Symptom


def check(_seen: Any) -> Iterator[Symptom]:
    """Never called: harness/gate/worker.py and harness/runs/steps/contract.py make its findings."""
    yield from ()


PROBE = Probe(
    id="HUB-C00",
    title="A hook does not come to its end",
    experiment="",
    hook="train",
    check=check,
    meaning="The gate runs the hooks on a small model with other pictures than the track's; what "
    "fails there relies on more than its arguments.",
    fix="Mend the line; a hook may rely on its arguments alone, which harness/hookspecs.py "
    "describes.",
)
