"""What the evaluation measures in a picture. No function here knows how the picture was made."""

from __future__ import annotations

import torch

from .vocabulary import BACKGROUNDS

BORDER_PX = 2


def border_colour(pixel_values: torch.Tensor) -> torch.Tensor:
    """Return the median colour of the outermost pixels.

    The median, because the drawing may touch the border somewhere.

    Args:
        pixel_values: (B, 3, H, W) in [-1, 1].

    Returns:
        (B, 3) sRGB in 0 to 255.
    """
    inside = torch.zeros(pixel_values.shape[-2:], dtype=torch.bool)
    inside[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = True
    ring = pixel_values[:, :, ~inside]  # (B, 3, pixels)
    return (ring.median(dim=2).values + 1) * 127.5


def background_names(pixel_values: torch.Tensor) -> list[str]:
    """Name the background of each picture by the nearest colour of the table."""
    table = torch.tensor(list(BACKGROUNDS.values()), dtype=torch.float32)  # (colours, 3)
    nearest = torch.cdist(border_colour(pixel_values), table).argmin(1)  # (B,)
    names = list(BACKGROUNDS)
    return [names[index] for index in nearest.tolist()]


def concept_ranks(
    features: torch.Tensor, references: torch.Tensor, wanted: torch.Tensor
) -> torch.Tensor:
    """Rank the prompted concept among all candidates.

    A candidate is as near as its nearest style.

    Args:
        features: (B, F) unit vectors of pictures.
        references: (concepts, styles, F) unit vectors.
        wanted: (B,) index of the prompted concept.

    Returns:
        (B,) rank, 0 = nearest.
    """
    similarity = torch.einsum("bf,csf->bcs", features, references).amax(2)  # (B, concepts)
    own = similarity.gather(1, wanted[:, None])  # (B, 1)
    return (similarity > own).sum(1)


def nearest_styles(
    features: torch.Tensor, references: torch.Tensor, wanted: torch.Tensor
) -> torch.Tensor:
    """Find which style's drawing of the prompted concept a picture is nearest to.

    Args:
        features: (B, F) unit vectors of pictures.
        references: (concepts, styles, F) unit vectors.
        wanted: (B,) index of the prompted concept.

    Returns:
        (B,) index of the style.
    """
    return torch.einsum("bf,bsf->bs", features, references[wanted]).argmax(1)
