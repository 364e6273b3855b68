"""Put a recipe together: whose code, whose settings, one hash over all of it.

The rules, which docs/mixing.md says in words:

* A hook comes with the ``[settings.*]`` table that goes with it, whole. A part without code for the
  hook gives the reference's code its settings.
* A learning rate fits an adapter more than a loop. Where the part that gives ``train`` writes none,
  the part that gives ``make_lora`` is asked for its own, and only then the hub's default holds.
* What a saved recipe writes itself wins over its parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from harness.contributions.recipes.naming import label, ordered
from harness.contributions.record import Contribution, GateTable
from toolkit.core.errors import UsageError
from toolkit.core.record import Record
from toolkit.core.settings import HOOK_NAMES, TABLES, HookName, Settings

LEARNING_RATES = ("learning_rate", "text_encoder_learning_rate")

Parts = dict[HookName, Contribution]


class Layer(NamedTuple):
    """Fields of one table that are set; of several layers the last one wins."""

    names: tuple[str, ...]  # whose; several where a saved recipe passes on its parts' fields
    fields: dict[str, Any]


def alone(own: Contribution) -> Contribution:
    """Say of a contribution without parts where its settings come from."""
    written = {hook: (own.file.name,) for hook in HOOK_NAMES if fields(own, hook)}
    return own.model_copy(update={"settings_from": written})


def saved(own: Contribution, parts: Parts) -> Contribution:
    """Complete a contribution whose ``[mix]`` names parts; what it writes itself wins."""
    layers = {hook: [layer_of(parts[hook], hook)] if hook in parts else [] for hook in HOOK_NAMES}
    if "make_lora" in parts:
        layers["train"].insert(0, learning_rates(parts["make_lora"]))
    for hook in HOOK_NAMES:
        layers[hook].append(Layer((own.file.name,), fields(own, hook)))
    return put_together(own, parts, layers, own.file.summary)


def recipe(head: Contribution, taken: Parts) -> Contribution:
    """Replace hooks of a contribution, which may be a saved recipe itself, by others'."""
    layers = {hook: [layer_of(taken.get(hook, head), hook)] for hook in HOOK_NAMES}
    if taken.keys() & {"make_lora", "train"}:
        layers["train"].insert(0, learning_rates(taken.get("make_lora", head)))
    changes = ", ".join(f"{hook} from {taken[hook].file.name}" for hook in ordered(taken))
    made = put_together(head, {**head.parts, **taken}, layers, f"{head.name}, with {changes}.")
    return made.model_copy(update={"label": label(head, taken)})


def put_together(
    own: Contribution, parts: Parts, layers: Mapping[HookName, list[Layer]], summary: str
) -> Contribution:
    """Build the contribution that runs: settings, packages, exemptions and hash of all parts.

    Raises:
        UsageError: The settings contradict each other.
    """
    settings, writers = settled(own, layers)
    sources = [own, *(parts[hook] for hook in ordered(parts))]
    exempt = {probe: why for one in sources for probe, why in one.file.gate.exempt.items()}
    file = own.file.model_copy(
        update={
            "summary": summary,
            "settings": settings,
            "gate": GateTable(exempt=exempt),
            "dependencies": unique(line for one in sources for line in one.file.dependencies),
            "authors": unique(name for one in sources for name in one.file.authors),
        }
    )
    return own.model_copy(
        update={
            "file": file,
            "parts": parts,
            "folder_hash": own.own_hash,
            "content_hash": combined_hash(own, parts),
            "settings_from": writers,
        }
    )


def settled(
    own: Contribution, layers: Mapping[HookName, list[Layer]]
) -> tuple[Settings, dict[HookName, tuple[str, ...]]]:
    """Lay the layers of each table over each other; tell who wrote something that was left.

    Raises:
        UsageError: The settings contradict each other.
    """
    tables, writers = {}, {}
    for hook in HOOK_NAMES:
        last = {key: layer for layer in layers[hook] for key in layer.fields}
        kept = [layer for layer in layers[hook] if layer in last.values()]
        if kept:
            writers[hook] = unique(name for layer in kept for name in layer.names)
            tables[TABLES[hook]] = {key: layer.fields[key] for key, layer in last.items()}
    try:
        return Settings.model_validate(tables), writers
    except ValidationError as error:
        faults = "; ".join(str(fault["msg"]) for fault in error.errors())
        raise UsageError(
            f"The settings of {own.name} and its parts do not go together: {faults}.",
            where=f"{own.path}/contribution.toml",
            fix="Change only what the part's own table allows.",
        ) from error


def layer_of(part: Contribution, hook: HookName) -> Layer:
    """Return what a part writes into the table of a hook."""
    return Layer(part.settings_from.get(hook, ()), fields(part, hook))


def learning_rates(part: Contribution) -> Layer:
    """Return the learning rates that a part writes."""
    names, written = layer_of(part, "train")
    return Layer(names, {key: written[key] for key in LEARNING_RATES if key in written})


def fields(part: Contribution, hook: HookName) -> dict[str, Any]:
    """Return what a contribution writes into the table of a hook, without the defaults."""
    table: Record = part.file.settings.of(hook)
    return {key: getattr(table, key) for key in sorted(table.model_fields_set)}


def unique(words: Iterable[str]) -> tuple[str, ...]:
    """Return each word once, in the order of the first."""
    return tuple(dict.fromkeys(words))


def combined_hash(own: Contribution, parts: Parts) -> str:
    """Return a hash over the contribution's folder and its parts', each with its hook."""
    lines = [own.own_hash, *(f"{hook} {parts[hook].content_hash}" for hook in ordered(parts))]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return f"sha256:{digest}"
