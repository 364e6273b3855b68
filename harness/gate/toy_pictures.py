"""The plain colours as tensors: a correct dataset, its latents, and how to know them again."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import Dataset

from harness.gate.colours import CAPTIONS, COLOURS
from harness.gate.components import PIXELS


class PlainColours(Dataset[tuple[Tensor, str]]):
    """What a correct ``make_dataset`` would return for seven plain pictures."""

    def __len__(self) -> int:
        return len(COLOURS)

    def __getitem__(self, index: int) -> tuple[Tensor, str]:
        colour = torch.tensor(tuple(COLOURS.values())[index], dtype=torch.float32)
        return colour[:, None, None].expand(3, PIXELS, PIXELS).clone(), CAPTIONS[index]


def which_picture(sample: Tensor) -> Tensor:
    """Return which picture is behind each noisy latent (B, 4, h, w); -1 if none is."""
    signs = sample.mean((2, 3))[:, :3].sign()  # (B, 3)
    table = torch.tensor(tuple(COLOURS.values()), dtype=signs.dtype)  # (7, 3)
    same = (signs[:, None] == table[None]).all(-1)  # (B, 7)
    found = same.float().argmax(-1)
    return torch.where(same.any(-1), found, torch.full_like(found, -1))
