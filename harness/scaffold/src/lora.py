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
    return output + layer.lora(inputs[0])


@hookimpl
def make_lora(pipeline, config):
    """Freeze the model, put a LoRALayer beside each chosen layer, and return those layers."""
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(False)

    # config.target_endings names the layers to adapt: to_q, to_k, ff.net.2 and so on. Two of them,
    # proj_in and proj_out, are 1x1 convolutions, which this layer cannot correct: a first idea?
    chosen = [
        (name, module)
        for name, module in pipeline.unet.named_modules()
        if isinstance(module, nn.Linear) and f".{name}".endswith(dotted(config.target_endings))
    ]

    adapter = nn.ModuleDict()
    for name, layer in chosen:
        lora = LoRALayer(layer.in_features, layer.out_features, config.rank, config.effective_alpha)
        layer.lora = lora.to(layer.weight.device)  # now it is a part of the U-Net...
        layer.register_forward_hook(add_lora)  # ...and this makes the U-Net call it
        adapter[name.replace(".", "_")] = layer.lora
    return adapter


def dotted(names):
    """Put a dot before each name, so that `to_q` does not fit a layer called `xto_q`."""
    return tuple(f".{name}" for name in names)
