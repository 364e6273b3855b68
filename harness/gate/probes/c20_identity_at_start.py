"""HUB-C20: before training, the model says what the base says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.adapter import AdapterSeen

LIMIT = 1e-4  # relative


def check(seen: AdapterSeen) -> Iterator[Symptom]:
    """Compare the answers of the base and of the base with an untrained adapter."""
    if not seen.identity_error <= LIMIT:
        yield Symptom(
            f"Attaching the untrained adapter changes the model's answer by "
            f"{seen.identity_error:.1e} (relative), allowed {LIMIT:.0e}."
        )


PROBE = Probe(
    id="HUB-C20",
    title="The untrained adapter changes the base",
    experiment="adapter",
    hook="make_lora",
    owners=("make_lora",),
    check=check,
    meaning="Training starts from a damaged model and first has to repair it.",
    fix="Start one of the two matrices at zero: nn.init.zeros_(lora_B). With an initialisation "
    "like "
    "PiSSA's, take what it adds off the base weight.",
    calls=("zeros_", "kaiming_uniform_", "normal_", "randn", "init"),
    exemptible=True,
)
