"""LoRA in seventy lines: a small trainable correction beside each frozen layer.

    y = W x + (alpha / rank) * B A x

W is frozen. A makes the input narrow (rank numbers), B makes it wide again. B starts at zero, so
before training the model behaves exactly as if nothing were attached.
"""

import torch
from torch import nn

from harness import hookimpl


class LoRALayer(nn.Module):
    """The correction for one linear layer. This is the place to try an idea."""

    def __init__(self, in_features, out_features, rank, alpha):
        super().__init__()
        self.lora_A = nn.Parameter(torch.empty(rank, in_features))
        self.lora_B = nn.Parameter(torch.zeros(out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=5**0.5)
        self.scale = alpha / rank
        self.lora_scale = 1.0  # `generate` sets it: 1 is the trained strength, 0 is the base

    def forward(self, x):  # (..., in_features) -> (..., out_features)
        return (x @ self.lora_A.T @ self.lora_B.T) * (self.scale * self.lora_scale)


def add_lora(layer, inputs, output):
    """Called after the frozen layer has run; what it returns is used instead of its output."""
    x = inputs[0]
    if isinstance(layer, nn.Conv2d):  # a 1x1 convolution: a linear layer at every pixel
        return output + layer.lora(x.movedim(1, -1)).movedim(-1, 1)  # (B, C, H, W) and back
    return output + layer.lora(x)


@hookimpl
def make_lora(pipeline, config):
    """Freeze the model, put a LoRALayer beside each chosen layer, and return those layers."""
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(False)

    # config.target_endings names the layers to adapt: to_q, to_k, ff.net.2, proj_in and so on.
    chosen = [
        (name, module)
        for name, module in pipeline.unet.named_modules()
        if f".{name}".endswith(dotted(config.target_endings)) and is_linear(module)
    ]

    adapter = nn.ModuleDict()
    for name, layer in chosen:
        out_features, in_features = layer.weight.shape[:2]
        lora = LoRALayer(in_features, out_features, config.rank, config.effective_alpha)
        layer.lora = lora.to(layer.weight.device)  # now it is a part of the U-Net...
        layer.register_forward_hook(add_lora)  # ...and this makes the U-Net call it
        adapter[name.replace(".", "_")] = layer.lora
    return adapter


def is_linear(module):
    """Tell whether a layer is linear, or a 1x1 convolution, which does the same."""
    return isinstance(module, nn.Linear) or getattr(module, "kernel_size", None) == (1, 1)


def dotted(names):
    """Put a dot before each name, so that `to_q` does not fit a layer called `xto_q`."""
    return tuple(f".{name}" for name in names)
