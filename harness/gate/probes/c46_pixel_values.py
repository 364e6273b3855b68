"""HUB-C46: pixel_values are float32 RGB from -1 to 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.dataset import DatasetSeen


def check(seen: DatasetSeen) -> Iterator[Symptom]:
    """Look at type, range and channels of plain red, green, blue, white and black."""
    from harness.gate.experiments.dataset import colour_named, nearest_colour

    dtypes = {str(pixels.dtype) for pixels, _ in seen.items}
    if dtypes != {"torch.float32"}:
        yield Symptom(f"pixel_values are {', '.join(sorted(dtypes))}, not float32.")
    if not (-1.01 <= seen.low <= -0.9 and 0.9 <= seen.high <= 1.01):
        yield Symptom(
            f"Black and white pictures give pixels from {seen.low:.3g} to {seen.high:.3g}; wanted "
            "-1 to 1."
        )
        return
    right = swapped = 0
    for pixels, caption in seen.items:
        colour = colour_named(caption)
        right += nearest_colour(pixels, seen.low, seen.high) == colour
        swapped += nearest_colour(pixels, seen.low, seen.high, (2, 1, 0)) == colour
    if swapped > right:
        yield Symptom(
            "Red pictures come out blue: the channels are in the order blue, green, red.",
            meaning="The VAE expects RGB; every colour word will be learnt wrongly.",
            fix='Use Pillow\'s convert("RGB"); after cv2.imread, write image[:, :, ::-1].copy().',
        )


PROBE = Probe(
    id="HUB-C46",
    title="pixel_values are not RGB from -1 to 1",
    experiment="dataset",
    hook="make_dataset",
    owners=("make_dataset",),
    check=check,
    meaning="The VAE was trained on -1 to 1; other values give latents that mean something else.",
    fix="pixel_values = tensor.float() / 127.5 - 1.0 (or ToTensor and Normalize([0.5], [0.5])).",
    calls=("Normalize", "ToTensor", "permute", "float"),
)
