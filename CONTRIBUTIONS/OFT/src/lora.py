"""OFT: turn what comes into a layer instead of adding something to its weight.

    W' = W R        R is block-diagonal, each block a rotation

A row of W is a neuron. Turning all of them together keeps their lengths and the angles between
them. A rotation comes from a skew-symmetric S (S^T = -S) by Cayley's formula
R = (I + S)(I - S)^-1. Qiu et al. 2023, "Controlling Text-to-Image Diffusion by Orthogonal
Finetuning", arXiv:2306.07280, section 3 (the paper writes a neuron as a column).
"""

import math

import torch
from torch import nn
from torch.nn.utils.parametrize import register_parametrization

from harness import hookimpl

BLOCK = 8  # inputs that turn together; config.rank and alpha have no meaning here


class OFT(nn.Module):
    """From the frozen weight to the weight that is used. Before training both are the same."""

    def __init__(self, weight):
        super().__init__()
        columns = weight.flatten(1).shape[1]  # inputs; a convolution's kernel laid flat
        block = math.gcd(BLOCK, columns)
        # (blocks, b, b); S = 0 turns nothing
        self.skew = nn.Parameter(torch.zeros(columns // block, block, block))
        self.register_buffer("identity", torch.eye(block))
        self.lora_scale = 1.0  # `generate` changes it: 0 is the base, 1 is as trained

    def rotation(self):
        skew = self.skew - self.skew.transpose(1, 2)  # S, (blocks, b, b)
        # (I + S)(I - S)^-1; the two commute, so solving from the left is the same.
        return torch.linalg.solve(self.identity - skew, self.identity + skew)

    def forward(self, weight):
        neurons = weight.reshape(len(weight), *self.skew.shape[:2])  # (out, blocks, b)
        turned = torch.einsum("onb,nbc->onc", neurons, self.rotation()).reshape(weight.shape)
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
            # On the layer's device already, because registering calls forward once.
            oft = OFT(layer.weight).to(layer.weight.device)
            # torch's way to say "this weight is computed": whoever reads layer.weight from now on
            # gets oft(the frozen weight).
            register_parametrization(layer, "weight", oft)
            adapter[name.replace(".", "_")] = oft
    return adapter
