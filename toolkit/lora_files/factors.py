"""Low-rank factors: singular values, truncation, and putting a scale into the factors."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

import torch
from torch import Tensor

from .memory import LoraLayer

# Below this share of the largest one, a singular value of a float32 product is rounding.
NOISE: Final = 1e-7


def small_svd(layer: LoraLayer) -> tuple[Tensor, Tensor, Tensor]:
    """Return the singular value decomposition of a LoRA's delta without forming the delta.

    With up = Qu Ru and down^T = Qd Rd the delta is Qu (Ru Rd^T) Qd^T: only an (r, r) matrix is
    decomposed, in float64, whatever the layer's width.

    Returns:
        U (out, n), S (n,) in falling order, V (in * k * k, n), with n at most r.
    """
    q_up, r_up = torch.linalg.qr(layer.up.double().flatten(1))  # (out, n), (n, r)
    q_down, r_down = torch.linalg.qr(layer.down.double().flatten(1).T)  # (in k k, m), (m, r)
    u, s, vh = torch.linalg.svd(r_up @ r_down.T * layer.scale, full_matrices=False)
    return q_up @ u, s, q_down @ vh.T


def singular_values(layer: LoraLayer) -> Tensor:
    """Return the singular values of a LoRA's delta, in falling order, float64."""
    return small_svd(layer)[1]


def norm(layer: LoraLayer) -> float:
    """Return the Frobenius norm of a LoRA's delta."""
    return float(singular_values(layer).norm())


def layer_from_svd(u: Tensor, s: Tensor, v: Tensor, like: tuple[int, ...]) -> LoraLayer:
    """Build a LoRA with alpha = rank from singular vectors.

    Both factors get the square root of S: their numbers are then of one size, which float16 needs.

    Args:
        u: (out, r).
        s: (r,).
        v: (in * k * k, r).
        like: The shape of the layer's weight, (out, in) or (out, in, k, k).
    """
    root = s.clamp_min(0).sqrt()
    up, down = u * root, (v * root).T  # (out, r), (r, in k k)
    rank = len(s)
    if len(like) == 4:
        up = up[:, :, None, None]  # (out, r, 1, 1)
        down = down.reshape(rank, *like[1:])  # (r, in, k, k)
    return LoraLayer(down.float().contiguous(), up.float().contiguous(), float(rank))


def decompose(delta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return U (out, n), S (n,), V (in * k * k, n) of a full weight difference.

    Args:
        delta: (out, in) or (out, in, k, k).
    """
    matrix = delta.flatten(1)  # (out, in k k)
    # LAPACK is several times slower on wide matrices than on tall ones.
    if matrix.shape[0] < matrix.shape[1]:
        v, s, uh = torch.linalg.svd(matrix.T, full_matrices=False)
        return uh.T, s, v
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    return u, s, vh.T


def rank_for(s: Tensor, rank: int | None, energy: float | None) -> int:
    """Return how many singular values to keep.

    Args:
        s: All of them, in falling order.
        rank: At most so many.
        energy: The fewest whose squares make up this share of all squares, 0 to 1.
    """
    squares = s.double().square()
    total = float(squares.sum())
    if total == 0 or not math.isfinite(total):
        return 1
    keep = int((s > s[0] * NOISE).sum())
    if energy is not None:
        # Rounding may leave the last sum a hair below 1; `keep` bounds the answer.
        enough = squares.cumsum(0) >= energy * total * (1 - 1e-12)
        keep = min(keep, int((~enough).sum()) + 1)
    return max(1, keep if rank is None else min(keep, rank))


def with_alpha(layer: LoraLayer, alpha: float) -> LoraLayer:
    """Return the same LoRA with another alpha: the rest of the scale moves into the factors.

    Half of it (the square root) goes into each, so that float16 loses nothing of a small scale.

    Args:
        layer: The LoRA.
        alpha: Above zero.
    """
    if layer.alpha == alpha:
        return layer
    factor = layer.alpha / alpha
    root = math.sqrt(abs(factor))
    return LoraLayer(layer.down * root, layer.up * math.copysign(root, factor), alpha)


def folded(layer: LoraLayer) -> LoraLayer:
    """Return the same LoRA with alpha = rank: its scale is 1."""
    return with_alpha(layer, float(layer.rank))


def with_one_alpha(layers: dict[str, LoraLayer]) -> dict[str, LoraLayer]:
    """Return the same layers with one alpha for all of them, the commonest; often nothing changes.

    diffusers (0.42.1) reads kohya files whose alphas differ wrongly: it looks for the alphas of
    attention and text-encoder layers under names that do not exist, and goes on.
    """
    alphas = Counter(layer.alpha for layer in layers.values() if layer.alpha > 0)
    # Of equally frequent ones the smallest, so that the same LoRA is the same file.
    alpha = min(alphas, key=lambda value: (-alphas[value], value), default=1.0)
    return {name: with_alpha(layer, alpha) for name, layer in layers.items()}
