"""Data sets made of new folders, and their items."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from harness.gate.experiments.context import Context
from harness.gate.experiments.files_read import HANDED
from harness.gate.profile import test_cards
from harness.gate.profile.card_contents import LARGER, SIDE
from harness.gate.profile.property import Values
from harness.worker.hooks import Hooks
from toolkit.core.settings import DatasetConfig

Items = list[tuple[Tensor, str]]

_numbers = itertools.count()


def folder_of(context: Context, write: Callable[[Path], None]) -> Path:
    """Return a new folder with some of the pictures."""
    folder = context.scratch / f"cards-{next(_numbers)}" / HANDED
    write(folder)
    return folder


def make(
    context: Context, hooks: Hooks, folder: Path, resolution: int = SIDE, **changes: Any
) -> Any:
    """Call ``make_dataset`` with the contribution's settings."""
    settings = context.hooks.owner.file.settings.dataset.model_dump()
    config = DatasetConfig(**{**settings, **changes})
    return hooks.call("make_dataset", data_dir=folder, resolution=resolution, config=config)


def read(context: Context, hooks: Hooks, write: Callable[[Path], None], **changes: Any) -> Items:
    """Return every item of a new folder."""
    made = make(context, hooks, folder_of(context, write), **changes)
    return [(pixels.float(), caption) for pixels, caption in items_of(hooks, made)]


def form(row: Items) -> Values:
    """The size and the type of numbers of the items."""
    sizes = sorted({" x ".join(map(str, pixels.shape)) for pixels, _ in row})
    return {"shape": ", ".join(sizes)}


def larger(context: Context, hooks: Hooks) -> Items:
    """Return the items of a folder that was read before, at another resolution."""
    folder = folder_of(context, test_cards.write_row)
    first = make(context, hooks, folder)
    made = make(context, hooks, folder, resolution=LARGER)
    items_of(hooks, first)
    return items_of(hooks, made)


def number_type(context: Context, hooks: Hooks) -> str:
    """Return the type of an item's numbers, which ``read`` makes float32."""
    made = make(context, hooks, folder_of(context, test_cards.write_row))
    with hooks.blaming("make_dataset"):
        return str(made[0][0].dtype).removeprefix("torch.") if len(made) else "none"


def items_of(hooks: Hooks, made: Any) -> Items:
    """Ask a data set for every item."""
    with hooks.blaming("make_dataset"):
        return [(made[i][0].detach().clone(), str(made[i][1])) for i in range(len(made))]
