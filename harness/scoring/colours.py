"""Which colours a picture shows, read off its pixels: no model, nothing to argue about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from harness.protocol.track_file import Prompt

Table = Mapping[str, Sequence[int]]

BORDER_SHARE = 1 / 32  # of the side: two pixels of 64
INK_DISTANCE = 60.0  # sRGB levels, Euclidean; less is the background with blur
INK_SHARE = 0.02  # of the pixels; a drawing covers more than that


def adherence(pixel_values: Tensor, prompts: Sequence[Prompt], colours: Table) -> float | None:
    """Return the share of asked colours that the pictures show; None when none was asked for.

    Args:
        pixel_values: (n, 3, H, W) in [-1, 1], one picture per prompt.
        prompts: What each should show.
        colours: Name -> sRGB.
    """
    hits: list[bool] = []
    for picture, prompt in zip(pixel_values, prompts, strict=True):
        hits += shown_as_asked(picture, prompt, colours)
    return sum(hits) / len(hits) if hits else None


def shown_as_asked(picture: Tensor, prompt: Prompt, colours: Table) -> list[bool]:
    """Tell for each colour that a prompt asks for whether it is where it belongs.

    Args:
        picture: (3, H, W) in [-1, 1].
        prompt: What it should show.
        colours: Name -> sRGB.
    """
    found = []
    if prompt.background is not None:
        found.append(nearest(border_colour(picture), colours) == prompt.background)
    if prompt.lower is not None:
        wanted, shown = [prompt.ink, prompt.lower], ink_of_halves(picture)
    else:
        wanted, shown = [prompt.ink], [ink_colour(picture)]
    for name, ink in zip(wanted, shown, strict=True):
        if name is not None:
            found.append(ink is not None and nearest(ink, colours) == name)
    return found


def border_colour(picture: Tensor) -> Tensor:
    """Return the median colour (3,) of the outermost pixels, sRGB levels 0 to 255.

    The median, because the drawing may touch the border somewhere.
    """
    width = max(1, round(picture.shape[-1] * BORDER_SHARE))
    inside = torch.zeros(picture.shape[-2:], dtype=torch.bool)
    inside[width:-width, width:-width] = True
    return (picture[:, ~inside].median(dim=1).values + 1) * 127.5


def ink_colour(picture: Tensor) -> Tensor | None:
    """Return the median colour (3,) of what is not background; None when there is nothing."""
    return median_colour(picture, distance_from_border(picture) > INK_DISTANCE)


def ink_of_halves(picture: Tensor) -> list[Tensor | None]:
    """Return the median colours (3,) of a drawing's upper and lower half; None for nothing there.

    The halves meet halfway between the highest and the lowest row that is not background.
    """
    drawn = distance_from_border(picture) > INK_DISTANCE  # (H, W)
    rows = drawn.any(dim=1).nonzero()
    if not len(rows):
        return [None, None]
    middle = int(rows.min() + rows.max() + 1) // 2
    upper = drawn.clone()
    upper[middle:] = False
    return [median_colour(picture, upper), median_colour(picture, drawn & ~upper)]


def median_colour(picture: Tensor, mask: Tensor) -> Tensor | None:
    """Return the median colour (3,) under a mask (H, W); None when that is hardly anything."""
    if int(mask.sum()) < INK_SHARE * mask.numel():
        return None
    return ((picture + 1) * 127.5)[:, mask].median(dim=1).values


def distance_from_border(picture: Tensor) -> Tensor:
    """Return how far each pixel is from the border's colour, (H, W), sRGB levels, Euclidean."""
    levels = (picture + 1) * 127.5  # (3, H, W)
    return (levels - border_colour(picture).view(3, 1, 1)).square().sum(0).sqrt()


def nearest(colour: Tensor, colours: Table) -> str:
    """Return the name of the nearest colour of the table."""
    found = [float(level) for level in colour]
    return min(colours, key=lambda name: math.dist(found, [float(v) for v in colours[name]]))
