"""The evaluation's reference pictures, in two small sheets: no packages, no network needed."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image

from toolkit.core.atomic import write_bytes

from .composite import Placement, compose, to_tensor
from .corpus import Corpus, Pixels
from .files import read_json, write_json
from .settings import RESOLUTION_PX
from .vae import held_out_pictures
from .vocabulary import BACKGROUNDS, STYLES, taught_concepts

FOLDER: Final = Path(__file__).with_name("reference")
CANDIDATES: Final = 100
HELD_OUT_COUNT: Final = 96
SHEET_COLUMNS: Final = 30


@dataclass(frozen=True)
class Reference:
    """What the evaluation compares with."""

    concepts: tuple[str, ...]  # the candidates
    icons: Pixels  # (concepts, styles, 64, 64, 4) RGBA, styles in the order of STYLES
    held_out: torch.Tensor  # (N, 3, 64, 64) pixel_values of names that were never trained

    def pixel_values(self, background: str) -> torch.Tensor:
        """Compose all icons on one background, (concepts * styles, 3, 64, 64)."""
        placement = Placement(0.8, None, 0.5, 0.5)
        flat = self.icons.reshape(-1, *self.icons.shape[2:])
        return to_tensor([compose(icon, BACKGROUNDS[background], placement) for icon in flat])


def candidate_concepts(count: int = CANDIDATES) -> tuple[str, ...]:
    """Draw the candidate concepts from the taught ones, always the same, sorted."""
    taught = taught_concepts()
    return tuple(sorted(random.Random("candidates").sample(taught, min(count, len(taught)))))


def build_reference(corpus: Corpus, folder: Path) -> None:
    """Write the sheets from the corpus."""
    present = {icon.name for icon in corpus.entries if icon.concept}
    concepts = [name for name in candidate_concepts() if name in present]
    tiles = []
    for name in concepts:
        for key in STYLES.values():
            icon = Image.fromarray(np.ascontiguousarray(corpus.pixels[corpus.find(name, key)]))
            tiles.append(icon.resize((RESOLUTION_PX, RESOLUTION_PX), Image.Resampling.BICUBIC))
    held_out = held_out_pictures(corpus, HELD_OUT_COUNT)  # (N, 3, H, W)
    levels = ((held_out + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    _write_sheet(tiles, folder / "icons.webp")
    _write_sheet([Image.fromarray(picture) for picture in levels], folder / "held_out.webp")
    write_json(folder / "index.json", {"concepts": concepts, "held_out": len(levels)})


def load_reference(folder: Path = FOLDER) -> Reference:
    """Read what `build_reference` wrote."""
    index = read_json(folder / "index.json")
    concepts = tuple(index["concepts"])
    icons = _read_sheet(folder / "icons.webp", len(concepts) * len(STYLES), "RGBA")
    held_out = _read_sheet(folder / "held_out.webp", index["held_out"], "RGB")
    shape = (len(concepts), len(STYLES), RESOLUTION_PX, RESOLUTION_PX, 4)
    return Reference(
        concepts, icons.reshape(shape), to_tensor([Image.fromarray(tile) for tile in held_out])
    )


def _write_sheet(tiles: list[Image.Image], path: Path) -> None:
    rows = -(-len(tiles) // SHEET_COLUMNS)
    sheet = Image.new(tiles[0].mode, (SHEET_COLUMNS * RESOLUTION_PX, rows * RESOLUTION_PX))
    for place, tile in enumerate(tiles):
        row, column = divmod(place, SHEET_COLUMNS)
        sheet.paste(tile, (column * RESOLUTION_PX, row * RESOLUTION_PX))
    stream = io.BytesIO()
    sheet.save(stream, "WEBP", lossless=True, method=6)
    write_bytes(path, stream.getvalue())


def _read_sheet(path: Path, count: int, mode: str) -> Pixels:
    sheet = np.asarray(Image.open(path).convert(mode))  # (rows * 64, columns * 64, channels)
    side = RESOLUTION_PX
    rows = sheet.reshape(sheet.shape[0] // side, side, SHEET_COLUMNS, side, -1)
    return rows.transpose(0, 2, 1, 3, 4).reshape(-1, side, side, rows.shape[-1])[:count]
