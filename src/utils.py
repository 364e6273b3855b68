"""A small helper that knows nothing of diffusion."""

from __future__ import annotations

import random

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch, so that the same command gives the same result."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
