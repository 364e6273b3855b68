"""A frozen 1x1 convolution and its LoRA in one autograd function.

For every pixel it is a linear layer, but its pixels lie last in memory: ``Y = (W + s B A) X + b``
with X as (C, pixels). The sum of the weights is small beside the pictures, so it is made first, and
the layer is one multiplication forward. As operations of their own it is three convolutions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function


class LoRAPointwise(Function):
    """``Y = (W + s B A) X + b``, differentiated by X, A and B; W and b are frozen.

    P is the number of pixels, H * W.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        down: Tensor,
        up: Tensor,
        scale: float,
    ) -> Tensor:
        """Return the layer's output with its correction.

        Args:
            ctx: Keeps what the backward pass needs.
            x: (B, C, H, W).
            weight: W, (out, C, 1, 1).
            bias: b, (out,), or none.
            down: A, (r, C).
            up: B, (out, r).
            scale: s.

        Returns:
            (B, out, H, W).
        """
        pixels = x.flatten(2)  # (B, C, P)
        changed = torch.addmm(weight.flatten(1), up, down, alpha=scale)  # (out, C)
        batch = len(x)
        if bias is None:
            out = torch.bmm(changed.expand(batch, -1, -1), pixels)  # (B, out, P)
        else:
            out = torch.baddbmm(bias[:, None], changed.expand(batch, -1, -1), pixels)
        ctx.save_for_backward(pixels, changed, down, up)
        ctx.scale, ctx.shape = scale, x.shape
        return out.view(batch, -1, *x.shape[2:])

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, A and B.

        With G the gradient of Y: gB = s G (A X)^T, gA = s (B^T G) X^T, gX = (W + s B A)^T G; the
        first two are summed over the batch.
        """
        pixels, changed, down, up = ctx.saved_tensors
        grad = grad_outputs[0].flatten(2)  # (B, out, P)
        batch = len(grad)
        narrow = torch.bmm(down.expand(batch, -1, -1), pixels)  # (B, r, P)
        grad_narrow = torch.bmm(up.t().expand(batch, -1, -1), grad)  # (B, r, P)
        grad_up = torch.bmm(grad, narrow.transpose(1, 2))  # (B, out, r)
        grad_down = torch.bmm(grad_narrow, pixels.transpose(1, 2))  # (B, r, C)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = torch.bmm(changed.t().expand(batch, -1, -1), grad).view(ctx.shape)
        scale = ctx.scale
        return grad_x, None, None, grad_down.sum(0).mul_(scale), grad_up.sum(0).mul_(scale), None


def fits(layer: nn.Module) -> bool:
    """Tell whether a layer is a plain 1x1 convolution."""
    return (
        type(layer) is nn.Conv2d
        and layer.kernel_size == layer.stride == (1, 1)
        and layer.padding in ((0, 0), "valid")
        and layer.groups == 1
    )
