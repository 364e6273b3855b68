"""Measure the contribution and the reference the same way; the reference once per process."""

from __future__ import annotations

from collections.abc import Callable

from harness.gate.experiments.context import Context
from harness.gate.profile.property import Measured, Profiled
from harness.worker.hooks import Hooks

# Measurements of the reference with some settings, for processes that judge many contributions.
_known: dict[str, Measured] = {}


def both(context: Context, group: str, measure: Callable[[Context, Hooks], Measured]) -> Profiled:
    """Return both measurements. Of the reference itself there is one: nothing can differ."""
    reference = context.reference
    if reference is None:
        ours = measure(context, context.hooks)
        return Profiled(ours, ours)
    # The settings are the contribution's: what follows from them is no difference of its code.
    if key(group, context) not in _known:
        keep(group, context, measure(context, reference))
    return Profiled(measure(context, context.hooks), _known[key(group, context)])


# Whose settings a group is measured with.
TABLES_OF = {
    "dataset": ("dataset",),
    "adapter": ("lora",),
    "training": ("lora", "train"),
    "drawing": ("lora", "generate"),
}


def key(group: str, context: Context) -> str:
    """Name a measurement of the reference: the group, and the settings it was made with."""
    settings = context.hooks.owner.file.settings
    return f"{group} {settings.model_dump_json(include=set(TABLES_OF[group]))}"


def keep(group: str, context: Context, measured: Measured) -> None:
    """Keep a measurement of the reference for the rest of this process and its forks."""
    _known[key(group, context)] = measured
