"""How alike drawn pictures are to held-out and to training pictures, by the judge's features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.protocol.track_file import Prompt
from toolkit.core.errors import UsageError


@dataclass(frozen=True)
class Gallery:
    """Features of the hub's own pictures, unit vectors."""

    heldout: Tensor  # (P, F)
    heldout_stems: tuple[str, ...]  # P file names without ending
    train: Tensor  # (T, F)
    contrast: Tensor  # (C, F) the held-out things drawn by others; empty unless style
    contrast_stems: tuple[str, ...]  # C names: stem of the held-out picture, "-", anything


def similarity(features: Tensor, prompts: Sequence[Prompt], gallery: Gallery) -> float:
    """Return the mean cosine between drawn pictures and held-out pictures.

    A prompt with ``like`` is compared with that picture, others with all. Where the track has
    contrast pictures (the same thing in other styles), their mean cosine is subtracted: what is
    left is the style, for the thing itself is in both terms.

    Args:
        features: (n, F) unit vectors of drawn pictures.
        prompts: n prompts.
        gallery: What to compare with.
    """
    values = []
    for vector, prompt in zip(features, prompts, strict=True):
        wanted = gallery.heldout[rows_of(gallery.heldout_stems, prompt)]
        value = (wanted @ vector).mean()
        if len(gallery.contrast):
            names = others_of_stems(gallery.contrast_stems)
            others = gallery.contrast[rows_of(names, prompt)]
            value = value - (others @ vector).mean()
        values.append(value)
    return float(torch.stack(values).mean())


def others_of_stems(contrast_stems: tuple[str, ...]) -> tuple[str, ...]:
    """Return for each contrast picture the stem of the held-out picture that it belongs to."""
    return tuple(stem.rpartition("-")[0] for stem in contrast_stems)


def rows_of(stems: tuple[str, ...], prompt: Prompt) -> list[int]:
    """Return the rows that a prompt is compared with.

    Raises:
        UsageError: There is no such picture.
    """
    if prompt.like is None:
        return list(range(len(stems)))
    rows = [row for row, stem in enumerate(stems) if stem == prompt.like]
    if not rows:
        raise UsageError(
            f"The prompt {prompt.text!r} is to be compared with {prompt.like!r}, "
            "and there is no such picture.",
            where="track.toml",
            fix=f"Use one of: {', '.join(sorted(set(stems)))}",
        )
    return rows


def memorisation(features: Tensor, gallery: Gallery) -> float:
    """Return the mean of (cosine to the nearest training picture - to the nearest held-out one).

    Who learnt the subject is as near to pictures it never saw as to those it saw; who learnt
    pictures by heart is nearer to those.
    """
    train = (features @ gallery.train.T).amax(dim=1)  # (n,)
    heldout = (features @ gallery.heldout.T).amax(dim=1)  # (n,)
    return float((train - heldout).mean())
