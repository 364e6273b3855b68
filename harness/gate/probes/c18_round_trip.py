"""HUB-C18: the adapter's state_dict, loaded into a fresh one, brings the model back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.adapter import AdapterSeen

LIMIT = 1e-4  # relative


def check(seen: AdapterSeen) -> Iterator[Symptom]:
    """Compare the model with one whose adapter was made anew and loaded."""
    if seen.round_trip_error is None:
        yield Symptom(f"load_state_dict of a fresh adapter raised {seen.round_trip_fault}")
    elif seen.round_trip_fault:
        yield Symptom(f"The state of one adapter does not fit the next: {seen.round_trip_fault}.")
    elif not seen.round_trip_error <= LIMIT:
        yield Symptom(
            "A fresh base with the saved adapter answers differently from the model it was saved "
            f"from: by {seen.round_trip_error:.1e} (relative), allowed {LIMIT:.0e}."
        )


PROBE = Probe(
    id="HUB-C18",
    title="The saved adapter does not bring the model back",
    experiment="adapter",
    hook="make_lora",
    owners=("make_lora",),
    check=check,
    meaning="Loading the file gives another model than the one that was trained.",
    fix="Everything random or trained in the adapter is a parameter or buffer of the module that "
    "make_lora returns; nothing else in the base may change.",
    calls=("state_dict", "register_buffer", "load_state_dict"),
    because=("HUB-C03",),
)
