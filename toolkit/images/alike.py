"""Compare pictures by pixels: copies survive resizing, saving and mirroring.

For reports, not for proof: who crops or recolours a picture gets past it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from toolkit.core.errors import UsageError
from toolkit.images.sheet import open_picture

SIDE_PX = 32

# Root mean square difference of two 32 px copies, 1 = black against white. Two poses of one robot
# on one colour differ by 0.1 and more, a JPEG of quality 50 from its original by less than 0.03.
SAME = 0.05

Thumb = npt.NDArray[np.float64]


def thumbnail(picture: Image.Image) -> Thumb:
    """Return a picture as (32, 32, 3) in 0 to 1."""
    small = ImageOps.fit(picture.convert("RGB"), (SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64) / 255


def difference(one: Thumb, other: Thumb) -> float:
    """Return the root mean square difference, of the better of the two mirror images."""
    return min(float(np.sqrt(np.square(one - turned).mean())) for turned in (other, other[:, ::-1]))


def is_copy(one: Thumb, others: Sequence[Thumb]) -> bool:
    """Tell whether a picture is one of the others."""
    return any(difference(one, other) < SAME for other in others)


def mean_difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean absolute difference of pixels, 1 = black against white."""
    a, b = (np.asarray(p.convert("RGB"), dtype=np.float32) / 255 for p in (one, other))
    return float(np.abs(a - b).mean()) if a.shape == b.shape else 1.0


def near_duplicates(folder: Path, heldout: Path) -> list[tuple[Path, Path]]:
    """Return the pictures below ``folder`` that are held-out pictures: (theirs, ours).

    What cannot be read as a picture is none; the check reports it.
    """
    ours = {path: thumbnail(open_picture(path)) for path in sorted((heldout).glob("Images/*"))}
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in {".png", ".jpg", ".jpeg", ".webp"} or not path.is_file():
            continue
        try:
            thumb = thumbnail(open_picture(path))
        except UsageError:
            continue
        found += [(path, own) for own, other in ours.items() if difference(thumb, other) < SAME]
    return found
