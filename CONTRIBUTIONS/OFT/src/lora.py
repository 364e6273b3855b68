"""OFT: turn the neurons of a layer together instead of adding something to them.

    W' = R W        R is block-diagonal, each block a rotation

A rotation comes from a skew-symmetric S (S^T = -S) by Cayley's formula R = (I + S)(I - S)^-1.
Qiu et al. 2023, "Controlling Text-to-Image Diffusion by Orthogonal Finetuning",
arXiv:2306.07280, section 3.
"""

import math

import torch
from torch import nn
from torch.nn.utils.parametrize import register_parametrization

from harness import hookimpl

BLOCK = 8  # neurons that turn together; config.rank and alpha have no meaning here


class OFT(nn.Module):
    """From the frozen weight to the weight that is used. Before training both are the same."""

    def __init__(self, weight):
        super().__init__()
        self.block = math.gcd(BLOCK, len(weight))
        shape = (len(weight) // self.block, self.block, self.block)
        self.skew = nn.Parameter(torch.zeros(shape))  # (blocks, b, b); S = 0 turns nothing
        self.register_buffer("identity", torch.eye(self.block))
        self.lora_scale = 1.0  # `generate` changes it: 0 is the base, 1 is as trained

    def rotation(self):
        skew = self.skew - self.skew.transpose(1, 2)  # S, (blocks, b, b)
        # (I + S)(I - S)^-1; the two commute, so solving from the left is the same.
        return torch.linalg.solve(self.identity - skew, self.identity + skew)

    def forward(self, weight):
        neurons = weight.view(len(self.skew), self.block, -1)  # (blocks, b, in)
        turned = (self.rotation() @ neurons).view_as(weight)
        return weight + self.lora_scale * (turned - weight)


@hookimpl
def make_lora(pipeline, config):
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(False)  # the base stays as it is
    endings = tuple(f".{ending}" for ending in config.target_endings)
    adapter = nn.ModuleDict()
    # A list, because registering adds modules while the loop goes through them.
    for name, layer in list(pipeline.unet.named_modules()):
        if isinstance(layer, (nn.Linear, nn.Conv2d)) and f".{name}".endswith(endings):
            oft = OFT(layer.weight)
            # torch's way to say "this weight is computed": whoever reads layer.weight from now on
            # gets oft(the frozen weight).
            register_parametrization(layer, "weight", oft)
            adapter[name.replace(".", "_")] = oft
    return adapter
