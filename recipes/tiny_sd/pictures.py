"""Picture grids for people to look at."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image


def to_pictures(pixel_values: torch.Tensor) -> list[Image.Image]:
    """Turn (B, 3, H, W) in [-1, 1] into RGB pictures."""
    levels = ((pixel_values.float().clamp(-1, 1) + 1) * 127.5).round().byte()
    return [Image.fromarray(picture.numpy()) for picture in levels.permute(0, 2, 3, 1).cpu()]


def grid(tiles: list[Image.Image], columns: int, gap_px: int = 2) -> Image.Image:
    """Lay equal pictures out in rows of `columns`."""
    width, height = tiles[0].size
    rows = -(-len(tiles) // columns)
    size = (columns * (width + gap_px) - gap_px, rows * (height + gap_px) - gap_px)
    sheet = Image.new("RGB", size, (255, 255, 255))
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        sheet.paste(tile, (column * (width + gap_px), row * (height + gap_px)))
    return sheet


def save_grid(pixel_values: torch.Tensor, path: Path, columns: int) -> None:
    """Write (B, 3, H, W) in [-1, 1] as one picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grid(to_pictures(pixel_values), columns).save(path)
