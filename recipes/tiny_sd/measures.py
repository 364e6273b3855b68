"""What the evaluation measures in a picture. No function here knows how the picture was made."""

from __future__ import annotations

import torch

from harness.scoring.colours import border_colour, nearest

from .vocabulary import BACKGROUNDS


def background_names(pixel_values: torch.Tensor) -> list[str]:
    """Name the background of each picture by the nearest colour of the table, as tracks do."""
    return [nearest(border_colour(picture), BACKGROUNDS) for picture in pixel_values]


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
