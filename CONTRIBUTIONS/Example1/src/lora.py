"""LoRA: each chosen layer W gets two small matrices beside it, h = W x + (alpha / rank) B A x."""

import math

import torch
from torch import nn

from harness import hookimpl

# What this contribution changes. attn1 is self-attention: the picture looks at itself. It is left
# as the base has it; what the picture takes from the text (attn2) and makes of it (ff) is adapted.
LEFT_OUT = ".attn1."


class LoRALayer(nn.Module):
    """The part B A x. Only these two matrices are trained."""

    def __init__(self, in_features, out_features, rank=4, alpha=1):
        super().__init__()
        self.lora_A = nn.Parameter(torch.zeros((rank, in_features)))
        self.lora_B = nn.Parameter(torch.zeros((out_features, rank)))
        self.scale = alpha / rank
        self.lora_scale = 1.0  # `generate` changes it: 0 is the base, 1 is as trained
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B)  # so that training starts exactly at the base

    def forward(self, x):
        # (..., in) -> (..., rank) -> (..., out)
        return (x @ self.lora_A.T @ self.lora_B.T) * (self.scale * self.lora_scale)


def add_lora(layer, inputs, output):
    """Run after a layer and add its ``layer.lora``, which `apply_lora_to_model` puts there."""
    x = inputs[0]
    if isinstance(layer, nn.Conv2d):  # a 1x1 convolution: a linear layer at every pixel
        return output + layer.lora(x.movedim(1, -1)).movedim(-1, 1)  # (B, C, H, W) and back
    return output + layer.lora(x)


def named(name, target):
    """Tell whether a name ends with a target: "attn2.to_q" with "to_q", but not "attn2.xto_q"."""
    return f".{name}".endswith(f".{target}")


def is_linear(layer):
    """True for linear layers and 1x1 convolutions."""
    return isinstance(layer, nn.Linear) or getattr(layer, "kernel_size", None) == (1, 1)


def apply_lora_to_model(model, rank=4, alpha=1, target_modules=("to_q", "to_k", "to_v")):
    # First collect, then change: otherwise the loop would meet the layers that it adds.
    chosen = [
        layer
        for name, layer in model.named_modules()
        if is_linear(layer)
        and any(named(name, target) for target in target_modules)
        and LEFT_OUT not in name
    ]
    if not chosen:
        raise ValueError(f"No linear layer of the model is named {' or '.join(target_modules)}.")

    model.requires_grad_(False)  # the base stays as it is
    for layer in chosen:
        out_features, in_features = layer.weight.shape[:2]
        layer.lora = LoRALayer(in_features, out_features, rank, alpha)
        layer.register_forward_hook(add_lora)
    return model


@hookimpl
def make_lora(pipeline, config):
    pipeline.vae.requires_grad_(False)
    pipeline.text_encoder.requires_grad_(False)
    # target_endings is target_modules with presets such as "attention+mlp" written out.
    endings = config.target_endings
    apply_lora_to_model(pipeline.unet, config.rank, config.effective_alpha, endings)
    pipeline.unet.to(pipeline.device)  # the new matrices go where the model is
    layers = [layer for layer in pipeline.unet.modules() if isinstance(layer, LoRALayer)]
    return nn.ModuleList(layers)
