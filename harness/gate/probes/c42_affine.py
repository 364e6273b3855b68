"""HUB-C42: each adapted layer can be written as new weights of the base."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.adapter import AdapterSeen


def check(seen: AdapterSeen) -> Iterator[Symptom]:
    """Read weights off the changed layers by probing them."""
    if seen.affine_fault:
        yield Symptom(f"The adapted model cannot be read: {seen.affine_fault}.")


PROBE = Probe(
    id="HUB-C42",
    title="An adapted layer is no longer y = W x + b",
    experiment="adapter",
    hook="make_lora",
    owners=("make_lora",),
    check=check,
    meaning="It can be neither scored nor merged nor exported: other programs only know changed "
    "weights.",
    fix="Keep the adapted layer an affine function of its input: no activation inside, no dropout "
    "in eval mode, W and b free of x.",
    calls=("forward", "register_forward_hook"),
)
