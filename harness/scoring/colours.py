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
        if prompt.background is not None:
            hits.append(nearest(border_colour(picture), colours) == prompt.background)
        if prompt.ink is not None:
            ink = ink_colour(picture)
            hits.append(ink is not None and nearest(ink, colours) == prompt.ink)
    return sum(hits) / len(hits) if hits else None


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
    drawn = distance_from_border(picture) > INK_DISTANCE
    if int(drawn.sum()) < INK_SHARE * drawn.numel():
        return None
    return ((picture + 1) * 127.5)[:, drawn].median(dim=1).values


def distance_from_border(picture: Tensor) -> Tensor:
    """Return how far each pixel is from the border's colour, (H, W), sRGB levels, Euclidean."""
    levels = (picture + 1) * 127.5  # (3, H, W)
    return (levels - border_colour(picture).view(3, 1, 1)).square().sum(0).sqrt()


def nearest(colour: Tensor, colours: Table) -> str:
    """Return the name of the nearest colour of the table."""
    found = [float(level) for level in colour]
    return min(colours, key=lambda name: math.dist(found, [float(v) for v in colours[name]]))
