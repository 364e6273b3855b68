"""make_dataset on pictures whose colours name themselves, on a disc, and on a zoo of odd files."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from harness.gate.audit import Deed, watching
from harness.gate.experiments.context import Context
from harness.gate.sample_folders import ODDITIES, PAIRS, SIDE, Odd, circle, save, write_pairs
from harness.worker.returned import check_dataset
from toolkit.core.errors import HubError
from toolkit.core.settings import DatasetConfig

Items = list[tuple[Tensor, str]]


@dataclass
class OddSeen:
    """What became of one odd picture."""

    odd: Odd
    fault: str  # what was raised, or ""
    caption: str = ""
    top: tuple[float, ...] = ()
    bottom: tuple[float, ...] = ()


@dataclass
class DatasetSeen:
    """What the experiment saw."""

    items: Items
    again: Items  # the same dataset, asked a second time
    anew: Items  # a dataset made anew, other global seeds
    reversed_listing: Items  # made while folders are listed in another order
    low: float
    high: float
    disc: tuple[float, float]  # width and height of the disc, in pixels
    red_edge: str  # where the red edge of the disc picture is
    oddities: list[OddSeen] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)


def run(context: Context) -> DatasetSeen:
    """Make datasets of three kinds of folders."""
    root = context.scratch / "pictures"
    pairs = write_pairs(root / "pairs")
    with watching(context.finder, context.scratch) as deeds:
        dataset = make(context, pairs, 0)
        with context.hooks.blaming("make_dataset"):
            items, again = all_items(dataset), all_items(dataset)
            with other_order():
                listed = all_items(make(context, pairs, 0))
            anew = all_items(make(context, pairs, 1))
        shape, edge = look_at_disc(context, root / "disc")
        oddities = [
            look_at(context, odd, root / f"odd-{number}") for number, odd in enumerate(ODDITIES)
        ]
    return DatasetSeen(
        items=items,
        again=again,
        anew=anew,
        reversed_listing=listed,
        low=min(float(p.min()) for p, _ in items),
        high=max(float(p.max()) for p, _ in items),
        disc=shape,
        red_edge=edge,
        oddities=oddities,
        deeds=deeds,
    )


def make(context: Context, folder: Path, seed: int) -> Any:
    """Call make_dataset with plain settings and other global random numbers."""
    random.seed(seed)
    torch.manual_seed(seed)
    dataset = context.hooks.call(
        "make_dataset", data_dir=folder, resolution=SIDE, config=DatasetConfig()
    )
    with context.hooks.blaming("make_dataset"):
        check_dataset(dataset, SIDE, False, context.finder.of_hook("make_dataset"))
    return dataset


def all_items(dataset: Any) -> Items:
    """Return every item."""
    return [(dataset[i][0].detach().clone(), dataset[i][1]) for i in range(len(dataset))]


@contextmanager
def other_order() -> Iterator[None]:
    """List folders backwards, as another file system may."""
    listdir, scandir = os.listdir, os.scandir

    class Backwards:
        def __init__(self, entries: Any) -> None:
            self.entries = list(entries)[::-1]

        def __iter__(self) -> Iterator[Any]:
            return iter(self.entries)

        def __next__(self) -> Any:
            if not self.entries:
                raise StopIteration
            return self.entries.pop(0)

        def __enter__(self) -> Backwards:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

        def close(self) -> None:
            self.entries = []

    def names(*args: Any) -> list[Any]:
        return list(listdir(*args))[::-1]

    def entries(*args: Any) -> Backwards:
        return Backwards(scandir(*args))

    wrapped: Callable[..., Any] = entries
    with mock.patch("os.listdir", names), mock.patch("os.scandir", wrapped):
        yield


def look_at_disc(context: Context, folder: Path) -> tuple[tuple[float, float], str]:
    """Return width and height of a disc after make_dataset, and the side of its red edge."""
    save(folder, "disc.png", circle(160, 80), "a disc")
    with context.hooks.blaming("make_dataset"):
        pixels, _caption = make(context, folder, 0)[0]
    blue = pixels[2] > 0.5 * (float(pixels.min()) + float(pixels.max()))  # white alone is blue too
    rows, columns = blue.any(1).nonzero(), blue.any(0).nonzero()
    shape = (float(len(columns)), float(len(rows)))
    red = pixels[0] - pixels[2]  # (H, W)
    edge = SIDE // 12
    sides = {
        "top": red[:edge].mean(),
        "bottom": red[-edge:].mean(),
        "left": red[:, :edge].mean(),
        "right": red[:, -edge:].mean(),
    }
    return shape, max(sides, key=lambda side: float(sides[side]))


def look_at(context: Context, odd: Odd, folder: Path) -> OddSeen:
    """Return what make_dataset makes of one odd picture."""
    odd.write(folder)
    try:
        with context.hooks.blaming("make_dataset"):
            dataset = make(context, folder, 0)
            if len(dataset) != 1:
                return OddSeen(odd, f"the dataset has {len(dataset)} items instead of one")
            pixels, caption = dataset[0]
    except HubError as error:
        return OddSeen(odd, error.what)
    half = pixels.shape[1] // 2
    return OddSeen(
        odd,
        "",
        caption,
        tuple(round(float(v), 2) for v in pixels[:, : half - 2].mean((1, 2))),
        tuple(round(float(v), 2) for v in pixels[:, half + 2 :].mean((1, 2))),
    )


def colour_named(caption: str) -> str | None:
    """Return the one colour of the pairs that a caption names."""
    found = [colour for colour, _ in PAIRS.values() if colour in caption.lower()]
    return found[0] if len(found) == 1 else None


def nearest_colour(
    pixels: Tensor, low: float, high: float, channels: tuple[int, ...] = (0, 1, 2)
) -> str:
    """Return which colour of the pairs a picture has, whatever its range and channel order."""
    middle = (low + high) / 2
    signs = tuple(bool(pixels[c].mean() > middle) for c in channels)
    return next(
        (colour for colour, rgb in PAIRS.values() if tuple(v > 0 for v in rgb) == signs), "none"
    )
