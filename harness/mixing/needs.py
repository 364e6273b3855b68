"""Before the first step: does this ``train`` find in the adapter and data set what it needs?

A ``train`` that works with some adapters only says so under ``[needs]`` in contribution.toml. Then
a mix that cannot work ends with a sentence, and not with a KeyError in the middle of a loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import MixError
from harness.records import Contribution, NeedsTable

if TYPE_CHECKING:
    from harness.plugins import Hooks

SHOWN_NAMES = 4


def require_needs(hooks: Hooks, adapter: Any, dataset: Any) -> None:
    """Compare the ``[needs]`` of the contribution that gives ``train`` with what it is handed.

    Args:
        hooks: The hooks of the run; they know the origins.
        adapter: What ``make_lora`` returned.
        dataset: What ``make_dataset`` returned.

    Raises:
        MixError: With everything that is missing.
    """
    trainer = hooks.origins["train"]
    if trainer.file.needs == NeedsTable():
        return
    missing = [
        *_missing_parameters(trainer, hooks.origins["make_lora"], adapter),
        *_missing_in_pictures(trainer, hooks.origins["make_dataset"], dataset),
    ]
    if missing:
        raise MixError(
            f"{trainer.file.name}'s train cannot be used here: {'; and '.join(missing)}.",
            where=f"{trainer.path}/contribution.toml [needs]",
            fix="docs/mixing.md shows what goes together.",
        )


def _missing_parameters(trainer: Contribution, maker: Contribution, adapter: Any) -> list[str]:
    wanted = set(trainer.file.needs.adapter_parameters)
    names = [name for name, one in adapter.named_parameters() if one.requires_grad]
    if not wanted or any(wanted.intersection(name.split(".")) for name in names):
        return []
    last = list(dict.fromkeys(name.rpartition(".")[2] for name in names))
    there = ", ".join(last[:SHOWN_NAMES]) + (", ..." if len(last) > SHOWN_NAMES else "")
    return [
        f"it needs an adapter with parameters called {' or '.join(sorted(wanted))}, "
        f"and those of {maker.file.name}'s make_lora are called {there or 'nothing'}"
    ]


def _missing_in_pictures(trainer: Contribution, maker: Contribution, dataset: Any) -> list[str]:
    needs = trainer.file.needs
    lacking = [name for name in needs.dataset_attributes if not hasattr(dataset, name)]
    found = []
    if lacking:
        found.append(f"it needs a data set with {', '.join(lacking)}: {maker.file.name}'s has none")
    if needs.pictures_of_one_size:
        shapes = {tuple(dataset[i][0].shape[-2:]) for i in range(len(dataset))}  # (H, W)
        if len(shapes) > 1:
            shown = ", ".join(f"{width} x {height}" for height, width in sorted(shapes))
            whose = f"{maker.file.name}'s make_dataset"
            found.append(f"it needs pictures of one size, and those of {whose} are of {shown}")
    return found
