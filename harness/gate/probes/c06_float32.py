"""HUB-C06: what is trained is float32, when it is made and at every step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Look at the dtypes that make_lora returned and that the optimiser held."""
    made = sorted({str(dtype) for dtype in seen.made_dtypes if str(dtype) != "torch.float32"})
    if made:
        yield Symptom(f"make_lora returned trainable parameters in {', '.join(made)}.")
        return
    stepped = {str(d) for step in seen.steps for d in step.dtypes} - {"torch.float32"}
    if stepped:
        yield Symptom(
            f"The optimiser stepped on parameters in {', '.join(sorted(stepped))}.",
            place=seen.steps[0].place,
        )


PROBE = Probe(
    id="HUB-C06",
    title="Trainable parameters are not float32",
    experiment="training",
    hook="make_lora",
    check=check,
    meaning="An update of 1e-4 times a weight is below half a step of bfloat16 and is rounded "
    "away: "
    "in a test, 89 % of the entries of A did not move in 20 steps.",
    fix="Create the adapter's parameters with dtype=torch.float32 and keep them so; autocast may "
    "compute in half precision.",
    calls=("bfloat16", "half", "float16", "to", "add_adapter"),
    exemptible=True,
)
