"""HUB-C47: a circle stays a circle, and up stays up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.dataset import DatasetSeen


def check(seen: DatasetSeen) -> Iterator[Symptom]:
    """Measure the disc in a picture that is twice as wide as high."""
    width, height = seen.disc
    if not width or not height:
        yield Symptom("The disc in the middle of a wide picture is not in the square any more.")
        return
    if not 0.87 <= width / height <= 1.15:
        yield Symptom(
            f"A disc in a picture of 160 x 80 pixels became {width:.0f} x {height:.0f} pixels."
        )
    if seen.red_edge != "top":
        yield Symptom(
            f"The upper edge of a picture lies at the {seen.red_edge}.",
            meaning="Pictures are turned or stand on their head.",
            fix="A tensor of an image is (C, H, W): permute(2, 0, 1), not transpose.",
        )


PROBE = Probe(
    id="HUB-C47",
    title="Pictures are squeezed or turned",
    experiment="dataset",
    hook="make_dataset",
    owners=("make_dataset",),
    check=check,
    meaning="The model learns squeezed shapes and draws them.",
    fix="Make the shorter side fit, then crop: ImageOps.fit(image, (resolution, resolution)).",
    calls=("resize", "Resize", "permute", "transpose"),
    because=("HUB-C46",),
)
