"""The names that properties of ``train`` follow from, and what all of these properties share."""

from __future__ import annotations

from harness.gate.profile.property import Measure, Property

PIXELS, LATENTS = "training.pixels", "training.latents"
SCHEDULE, TOLD, TIMESTEPS = "training.schedule", "training.timesteps_told", "training.timesteps"
TARGET, LOSS, STEPS = "training.target", "training.loss", "training.steps"
REPEATABLE = "training.repeatable"
INPUTS = (PIXELS, LATENTS, SCHEDULE, TOLD)


def prop(
    id: str, title: str, sentence: str, *measures: Measure, **others: str | bool | tuple[str, ...]
) -> Property:
    """Return a property of ``train``."""
    return Property(id, title, sentence, "train", measures, **others)  # type: ignore[arg-type]
