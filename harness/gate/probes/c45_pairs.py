"""HUB-C45: a caption belongs to its picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.dataset import DatasetSeen


def check(seen: DatasetSeen) -> Iterator[Symptom]:
    """Compare the colour of each picture with the colour that its caption names."""
    from harness.gate.experiments.dataset import colour_named, nearest_colour
    from harness.gate.sample_folders import PAIRS

    if len(seen.items) != len(PAIRS):
        yield Symptom(
            f"A folder of {len(PAIRS)} pictures became a dataset of {len(seen.items)} items.",
            meaning="Pictures are lost (by their extension?) or counted twice.",
            fix="Take every file whose suffix.lower() is .png, .jpg, .jpeg or .webp, once.",
        )
    named = [colour_named(caption) for _, caption in seen.items]
    if None in named:
        lost = seen.items[named.index(None)][1]
        yield Symptom(f"The caption {lost!r} is not one of the folder's.")
        return
    # BGR is another fault, which HUB-C46 tells.
    for channels in ((0, 1, 2), (2, 1, 0)):
        shown = [nearest_colour(p, seen.low, seen.high, channels) for p, _ in seen.items]
        if shown == named:
            return
    shown = [nearest_colour(p, seen.low, seen.high) for p, _ in seen.items]
    wrong = [(s, n) for s, n in zip(shown, named, strict=True) if s != n]
    yield Symptom(
        f"{len(wrong)} of {len(seen.items)} pictures have another's caption; the {wrong[0][0]} one "
        f"is called {wrong[0][1]}."
    )


PROBE = Probe(
    id="HUB-C45",
    title="Captions belong to other pictures",
    experiment="dataset",
    hook="make_dataset",
    owners=("make_dataset",),
    check=check,
    meaning="The model is taught wrong words for everything it sees.",
    fix='Find the caption by the picture\'s own name: caption_dir / f"{picture.stem}.txt". Two '
    "lists "
    "that are sorted separately need not fit.",
    calls=("zip", "sorted", "listdir", "iterdir", "glob", "read_text"),
)
