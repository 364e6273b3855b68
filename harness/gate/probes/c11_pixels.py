"""HUB-C11: the VAE is given the pixels that the dataset returned: float, in [-1, 1]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.colours import COLOURS
from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Look at what reached the VAE; the pictures hold both -1 and 1."""
    if not seen.spy.encodings:
        raise DoesNotApply("the VAE's encoder was not called")
    low = min(e.low for e in seen.spy.encodings)
    high = max(e.high for e in seen.spy.encodings)
    place = seen.spy.encodings[0].place
    if low > -0.5 or low < -1.05 or high > 1.05 or high < 0.5:
        yield Symptom(
            f"The VAE was given pixels from {low:.3g} to {high:.3g}; the dataset holds -1 to 1.",
            place=place,
        )
        return
    known = {tuple(float(v) for v in colour) for colour in COLOURS.values()}
    seen_colours = {
        tuple(round(float(v), 2) for v in row) for e in seen.spy.encodings for row in e.colours
    }
    foreign = seen_colours - known
    if foreign:
        yield Symptom(
            f"The VAE was given the colour {min(foreign)} (red, green, blue from -1 to 1), "
            "which is "
            "no picture's.",
            meaning="Pictures are changed, or their channels exchanged, between dataset and VAE.",
            fix="Leave colours to make_dataset; give the VAE pixel_values as they are.",
            place=place,
            severity="hint",
        )


PROBE = Probe(
    id="HUB-C11",
    title="The VAE is given other pixels than the dataset's",
    experiment="training",
    hook="train",
    check=check,
    meaning="The VAE was trained on -1 to 1. Half of the range makes grey, washed-out pictures.",
    fix="Give the VAE the dataset's pixel_values unchanged; they are in [-1, 1] already.",
    calls=("encode", "pixel_values"),
)
