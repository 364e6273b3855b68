"""Before the first step: does this ``train`` find in the adapter and data set what it needs?

A ``train`` that works with some adapters only says so under ``[needs]`` in contribution.toml. Then
a mix that cannot work ends with a sentence, and not with a KeyError in the middle of a loop.
"""

from __future__ import annotations

import re
from typing import Any

from harness.contributions.record import Contribution, NeedsTable
from harness.errors import MixError

SHOWN_NAMES = 4
# The ends of layers' names in Stable Diffusion's U-Net and text encoder.
LAYER_IN_FRONT = re.compile(
    r"^.*_(to_[qkv]|to_out_0|net_0_proj|net_2|proj_in|proj_out|[qkv]_proj|out_proj|fc[12]"
    r"|conv\w*?|time_emb_proj|linear_[12])_"
)


def require_needs(trainer: Contribution, adapter: Any, dataset: Any) -> None:
    """Compare the ``[needs]`` of a contribution with what its ``train`` is handed.

    Args:
        trainer: The contribution that gives ``train``.
        adapter: What ``make_lora`` returned.
        dataset: What ``make_dataset`` returned.

    Raises:
        MixError: With everything that is missing.
    """
    if trainer.file.needs == NeedsTable():
        return
    missing = [
        *_missing_parameters(trainer, adapter),
        *_missing_in_pictures(trainer, dataset),
    ]
    if missing:
        raise MixError(
            f"{trainer.file.name}'s train cannot be used here: {'; and '.join(missing)}.",
            where=f"{trainer.path}/contribution.toml [needs]",
            fix="docs/mixing.md shows what goes together.",
        )


def _missing_parameters(trainer: Contribution, adapter: Any) -> list[str]:
    wanted = set(trainer.file.needs.adapter_parameters)
    names = [name for name, one in adapter.named_parameters() if one.requires_grad]
    if not wanted or any(wanted.intersection(name.split(".")) for name in names):
        return []
    last = list(dict.fromkeys(kind_of(name) for name in names))
    there = ", ".join(last[:SHOWN_NAMES]) + (", ..." if len(last) > SHOWN_NAMES else "")
    return [
        f"it needs an adapter with parameters called {' or '.join(sorted(wanted))}, "
        f"and those of this adapter are called {there or 'nothing'}"
    ]


def kind_of(name: str) -> str:
    """Return a parameter's name without that of its layer.

    The hub's home for PEFT's layers has one name for each, with underscores where dots were:
    ``down_blocks_0_..._attn1_to_q_lora_B_default_weight`` is ``lora_B_default_weight``.
    """
    last = name.rpartition(".")[2]
    return LAYER_IN_FRONT.sub("", last) or last


def _missing_in_pictures(trainer: Contribution, dataset: Any) -> list[str]:
    needs = trainer.file.needs
    lacking = [name for name in needs.dataset_attributes if not hasattr(dataset, name)]
    found = []
    if lacking:
        found.append(f"it needs a data set with {', '.join(lacking)}, which this one has not")
    if needs.pictures_of_one_size:
        shapes = {tuple(dataset[i][0].shape[-2:]) for i in range(len(dataset))}  # (H, W)
        if len(shapes) > 1:
            shown = ", ".join(f"{width} x {height}" for height, width in sorted(shapes))
            found.append(f"it needs pictures of one size, and those of this data set are {shown}")
    return found
