"""What becomes of pictures as people have them."""

from __future__ import annotations

from torch import Tensor

from harness.gate.experiments.context import Context
from harness.gate.experiments.dataset_measures.reading import read
from harness.gate.profile.odd_pictures import Odd
from harness.worker.hooks import Hooks
from toolkit.core.errors import HubError

# How much red, green and blue there is -> a word.
NAMES: dict[tuple[str, ...], str] = {
    ("full", "none", "none"): "red",
    ("none", "full", "none"): "green",
    ("none", "none", "full"): "blue",
    ("full", "full", "full"): "white",
    ("none", "none", "none"): "black",
    ("half", "half", "half"): "grey",
}


def odd_picture(context: Context, hooks: Hooks, odd: Odd) -> str:
    """Say what becomes of one odd picture: the colours of its halves, or that it is not there."""
    try:
        items = read(context, hooks, odd.write)
    except HubError as error:
        return f"raises {error.what}"
    if len(items) != 1 or items[0][0].dim() != 3 or len(items[0][0]) != 3:
        return f"becomes {len(items)} items of it"
    pixels = items[0][0]
    half = pixels.shape[1] // 2
    upper, lower = pixels[:, : half - 2], pixels[:, half + 2 :]
    return f"is {colour_name(upper)} above {colour_name(lower)}"


def colour_name(part: Tensor) -> str:
    """Name the mean colour of a part (3, H, W) of a picture by the nearest of twenty-seven."""
    words = [
        ("none", "half", "full")[int((float(v) + 1) * 1.5 * 0.999)]
        for v in part.mean((1, 2)).clamp(-1, 1)
    ]
    return NAMES.get(tuple(words), " ".join(words))
