"""A frozen 3x3 convolution whose weights are packed for oneDNN once.

PyTorch lays a convolution's weights out anew for oneDNN in every call, and for the gradient of the
input once more. For the 1280-channel layers of SD 1.4 at 8x8 that is most of the time. Frozen
weights never change, so the packed form is kept, and a second one with the kernel turned round and
its channels swapped: the gradient of the input of a convolution with stride 1 is a convolution too.
The price is memory, twice the weights of these layers.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.autograd import Function

ONE = [1, 1]


class PackedConvolution:
    """A convolution with square odd kernel, stride 1 and "same" padding, packed when first used.

    Weights that change are packed anew. A change is noticed as autograd notices it: by the tensor's
    version, which writing through ``.data`` leaves as it is.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        self.conv = conv
        self.padding = [size // 2 for size in conv.kernel_size]
        self.drop(None)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the convolution of x (B, C, H, W) as (B, out, H, W)."""
        if not fits(self.conv):  # trained, moved or cast meanwhile
            return nn.Conv2d.forward(self.conv, x)
        weight = self.conv.weight
        state = (weight.data_ptr(), weight._version)
        if state != self.packed_state:  # merged with an adapter, or loaded anew
            self.drop(state)
        out: Tensor = _Convolve.apply(x, self)  # type: ignore[no-untyped-call]
        return out

    def drop(self, state: tuple[int, int] | None) -> None:
        """Forget the packed weights; the next ones are of weights in this state."""
        self.packed_state = state
        self.forward_weight: Tensor | None = None
        self.backward_weight: Tensor | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy needs: packed weights cannot be copied, and are made anew."""
        unpacked = {"packed_state": None, "forward_weight": None, "backward_weight": None}
        return {**self.__dict__, **unpacked}

    def convolve(self, x: Tensor) -> Tensor:
        """Convolve without autograd."""
        if self.forward_weight is None:
            self.forward_weight = pack(self.conv.weight.detach(), self.padding, x)
        return run(x, self.forward_weight, self.conv.bias, self.padding)

    def convolve_back(self, grad: Tensor) -> Tensor:
        """Return the gradient of the input, (B, C, H, W), from that of the output."""
        if self.backward_weight is None:
            weight = self.conv.weight.detach()
            turned = weight.flip(2, 3).transpose(0, 1).contiguous()  # (C, out, k, k)
            self.backward_weight = pack(turned, self.padding, grad)
        return run(grad, self.backward_weight, None, self.padding)


class _Convolve(Function):
    """Autograd's view of a packed convolution; its weights are frozen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: PackedConvolution) -> Tensor:
        """Return the convolution of x."""
        ctx.conv = conv
        return conv.convolve(x)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, None]:
        """Return the gradient of x, if it is asked for."""
        if not ctx.needs_input_grad[0]:
            return None, None
        return ctx.conv.convolve_back(grad_outputs[0].contiguous()), None


def pack(weight: Tensor, padding: list[int], x: Tensor) -> Tensor:
    """Return a weight in the layout that oneDNN wants for inputs like ``x``."""
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
        weight, padding, ONE, ONE, 1, list(x.shape)
    )
    return packed


def run(x: Tensor, packed: Tensor, bias: Tensor | None, padding: list[int]) -> Tensor:
    """Convolve with a packed weight."""
    out: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, packed, bias, padding, ONE, ONE, 1, "none", [], ""
    )
    return out


def fits(conv: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Tell whether a layer is a frozen convolution of the kind that can be packed."""
    return (
        is_available()
        and type(conv) is nn.Conv2d  # neither a subclass nor parametrised
        and not any(p.requires_grad for p in conv.parameters(recurse=False))
        and conv.weight.dtype == torch.float32
        and conv.weight.device.type == "cpu"
        and conv.kernel_size[0] == conv.kernel_size[1] == 3
        and conv.stride == conv.dilation == (1, 1)
        and conv.padding == (1, 1)
        and conv.padding_mode == "zeros"
        and conv.groups == 1
    )


def is_available() -> bool:
    """Tell whether this build of torch has oneDNN and its operations."""
    has_onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return has_onednn and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
