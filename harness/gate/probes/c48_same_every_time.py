"""HUB-C48: a dataset gives the same items each time it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from torch import Tensor

    from harness.gate.experiments.dataset import DatasetSeen


def check(seen: DatasetSeen) -> Iterator[Symptom]:
    """Compare items asked twice, from a dataset made anew, and with folders listed backwards."""
    if difference(seen.items, seen.again):
        yield Symptom(f"Asked twice, dataset[i] differs: {difference(seen.items, seen.again)}.")
    elif difference(seen.items, seen.anew):
        yield Symptom(
            "A dataset made anew, with another state of the global random generators, differs: "
            f"{difference(seen.items, seen.anew)}.",
        )
    elif difference(seen.items, seen.reversed_listing):
        yield Symptom(
            "The order of the items follows the order in which the file system lists the folder.",
            meaning="On another machine the same seed trains on other pictures.",
            fix="Sort the names: sorted(path.iterdir()).",
            severity="hint",
        )


def difference(first: list[tuple[Tensor, str]], second: list[tuple[Tensor, str]]) -> str:
    """Say in a few words how two lists of items differ; empty if they do not."""
    if len(first) != len(second):
        return f"{len(first)} and {len(second)} items"
    captions = sum(a[1] != b[1] for a, b in zip(first, second, strict=True))
    if captions:
        return f"{captions} captions"
    pixels = sum(not a[0].equal(b[0]) for a, b in zip(first, second, strict=True))
    return f"the pixels of {pixels} pictures" if pixels else ""


PROBE = Probe(
    id="HUB-C48",
    title="The dataset changes from call to call",
    experiment="dataset",
    hook="make_dataset",
    owners=("make_dataset",),
    check=check,
    meaning="Trainers pass each picture through the VAE once and keep the result: what is random "
    "here is drawn once for good, and the run cannot be repeated.",
    fix="Leave chance to train, or draw it from the item's index and config.seed.",
    calls=("random", "rand", "shuffle", "choice", "RandomCrop", "RandomHorizontalFlip", "listdir"),
)
