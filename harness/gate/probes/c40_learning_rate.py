"""HUB-C40: the learning rate of the configuration is the one that is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.oracle import OracleSeen


def check(seen: OracleSeen) -> Iterator[Symptom]:
    """The oracle runs with half the learning rate: the steps have to show it."""
    rates = [max(step.learning_rates) for step in seen.spy.steps]
    if not rates:
        raise DoesNotApply("no torch optimiser made a step")
    highest, wanted = max(rates), seen.config.learning_rate
    if highest == 0:
        yield Symptom("The learning rate is 0 at every step.", severity="error")
    elif not 0.5 * wanted <= highest <= 1.01 * wanted:
        yield Symptom(
            f"The highest learning rate of the steps is {highest:.3g}; config.learning_rate is "
            f"{wanted:.3g}."
        )


PROBE = Probe(
    id="HUB-C40",
    title="config.learning_rate is not used",
    experiment="oracle",
    hook="train",
    check=check,
    severity="hint",
    meaning="The setting in contribution.toml has no effect. An optimiser that finds its own rate, "
    "such as Prodigy, is a good reason.",
    fix="torch.optim.AdamW(parameters, lr=config.learning_rate), and a schedule that reaches it.",
    calls=("AdamW", "lr", "learning_rate"),
)
