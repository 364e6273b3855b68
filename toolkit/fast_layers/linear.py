"""A frozen linear layer and its LoRA in one autograd function.

Written as operations of their own, ``W x + b + s B A x`` is nine nodes of autograd's graph forward
and some twenty operations backward, each with an overhead that is larger than its arithmetic when
the model is small. By hand it is three multiplications forward and five backward, and the sums are
done inside the multiplications (``addmm``).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F


class LoRALinear(Function):
    """``y = x W^T + b + s (x A^T) B^T``, differentiated by x, A and B; W and b are frozen.

    N is the number of rows: batch times tokens.
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
            x: (..., in).
            weight: W, (out, in).
            bias: b, (out,), or none.
            down: A, (r, in).
            up: B, (out, r).
            scale: s.

        Returns:
            (..., out).
        """
        rows = x.reshape(-1, x.shape[-1])  # (N, in)
        narrow = rows @ down.t()  # (N, r)
        out = F.linear(rows, weight, bias)  # (N, out)
        out.addmm_(narrow, up.t(), alpha=scale)
        ctx.save_for_backward(rows, narrow, weight, down, up)
        ctx.scale, ctx.shape = scale, x.shape
        return out.view(*x.shape[:-1], weight.shape[0])

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, A and B.

        With g the gradient of y: gB = s g^T (x A^T), gA = s (g B)^T x, gx = g W + s (g B) A.
        """
        rows, narrow, weight, down, up = ctx.saved_tensors
        grad = grad_outputs[0].reshape(-1, weight.shape[0])  # (N, out)
        grad_narrow = (grad @ up).mul_(ctx.scale)  # (N, r)
        grad_down = grad_narrow.t() @ rows  # (r, in)
        grad_up = (grad.t() @ narrow).mul_(ctx.scale)  # (out, r)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = (grad @ weight).addmm_(grad_narrow, down).view(ctx.shape)  # (..., in)
        return grad_x, None, None, grad_down, grad_up, None
