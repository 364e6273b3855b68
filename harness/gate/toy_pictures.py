"""The plain colours as tensors: what a correct make_dataset would return."""

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
