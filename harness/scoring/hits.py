"""Is it there? Whether a picture shows what was taught, by its nearest candidate or its colours.

A picture of a subject is a hit when, of all candidates, a held-out picture of the subject is the
nearest to it. The others are rivals (other things of the kind, if the track has some) and what the
base draws for the same prompts. A picture in a taught style is a hit when the held-out drawing of
the thing is nearer than the same thing drawn by others. A picture of a binding track is a hit when
the asked colours are where they belong.

Drawings of a style are seen through the base's autoencoder, as every drawn picture is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from harness.protocol.track_file import Prompt
from harness.scoring.colours import Table, distance_from_border, shown_as_asked
from harness.scoring.likeness import rows_of

BACKGROUND_DISTANCE = 70.0  # sRGB levels, Euclidean, to the border's colour; covers its blur
GREY = 0.0  # of pixel_values in [-1, 1]


@dataclass(frozen=True)
class Candidates:
    """Features (unit vectors) of what a picture may be nearest to, all without background."""

    taught: Tensor  # (P, F) held-out pictures
    taught_stems: tuple[str, ...]  # P file names without ending
    others: Tensor  # (R, F) other things of the subject's kind, or the things in other styles
    others_of: tuple[str, ...] | None  # R stems of the held-out pictures they belong to; styles
    of_base: Tensor  # (n, F) what the base draws for a subject's prompts, from other noise


def nearest_is_taught(
    features: Tensor, prompts: Sequence[Prompt], candidates: Candidates
) -> list[bool]:
    """Tell for each picture whether its nearest candidate is one of what was taught.

    Args:
        features: (n, F) unit vectors of drawn pictures, without background.
        prompts: n prompts; a style's name in ``like`` the held-out drawing of the thing.
        candidates: What it may be nearest to.
    """
    hits = []
    for vector, prompt in zip(features, prompts, strict=True):
        taught, others = candidates.taught, candidates.others
        if candidates.others_of is not None:
            taught = taught[rows_of(candidates.taught_stems, prompt)]
            others = others[rows_of(candidates.others_of, prompt)]
        wrong = torch.cat([others, candidates.of_base])
        hits.append(bool((taught @ vector).amax() > (wrong @ vector).amax()))
    return hits


def binding_hits(pixel_values: Tensor, prompts: Sequence[Prompt], colours: Table) -> list[bool]:
    """Tell for each picture whether thing and background have the colours asked for.

    Args:
        pixel_values: (n, 3, H, W) in [-1, 1].
        prompts: n prompts; those without colours of thing and background are left out.
        colours: Name -> sRGB.
    """
    return [
        all(shown_as_asked(picture, prompt, colours))
        for picture, prompt in zip(pixel_values, prompts, strict=True)
        if prompt.background is not None and prompt.ink is not None
    ]


def on_grey(pixel_values: Tensor) -> Tensor:
    """Paint a flat background grey, so that its colour decides nothing.

    Background is what has nearly the border's colour and hangs together with the border.

    Args:
        pixel_values: (n, 3, H, W) in [-1, 1].
    """
    painted = pixel_values.clone()
    for picture in painted:
        near = distance_from_border(picture) < BACKGROUND_DISTANCE  # (H, W)
        picture[:, from_the_border(near)] = GREY
    return painted


def from_the_border(mask: Tensor) -> Tensor:
    """Return the part of a mask (H, W) that hangs together with its edge."""
    reached = mask.clone()
    reached[1:-1, 1:-1] = False
    while True:
        grown = functional.max_pool2d(reached[None].float(), 3, stride=1, padding=1)[0] > 0
        grown &= mask
        if torch.equal(grown, reached):
            return reached
        reached = grown
