"""HUB-C02: the optimiser holds the adapter, all of it and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Compare what the optimiser held at its steps with the adapter."""
    if not seen.steps:
        if seen.unmoved and len(seen.unmoved) == len(seen.adapter_ids):
            yield Symptom("No optimiser made a step, and nothing in the adapter moved.")
            return
        raise DoesNotApply("no torch optimiser was used")
    held = frozenset().union(*(step.parameters for step in seen.steps))
    foreign, missing = held - seen.adapter_ids, seen.adapter_ids - held
    place = seen.steps[0].place
    if foreign:
        named = [seen.other_ids[i] for i in foreign if i in seen.other_ids][:3]
        names = f" ({', '.join(sorted(named))}, ...)" if named else ""
        yield Symptom(
            f"The optimiser holds {len(foreign)} tensors that are not the adapter's{names}.",
            place=place,
        )
    if missing:
        names = ", ".join(sorted(seen.adapter_names[i] for i in missing)[:3])
        yield Symptom(
            f"{len(missing)} of {len(seen.adapter_ids)} trainable tensors of the adapter are in no "
            f"optimiser: {names}, ...",
            meaning="They stay as they were drawn, and the run pays for parameters it never "
            "trains.",
            place=place,
        )


PROBE = Probe(
    id="HUB-C02",
    title="The optimiser does not hold exactly the adapter",
    experiment="training",
    hook="train",
    check=check,
    meaning="What is trained is not what is returned, saved and scored.",
    fix="Write: parameters = [p for p in adapter.parameters() if p.requires_grad] and give the "
    "optimiser this list.",
    calls=("AdamW", "Adam", "SGD", "parameters", "step"),
    because=("HUB-C41",),
    exemptible=True,
)
