"""LoKr: the change of a weight is a Kronecker product of a small matrix and a low-rank one.

    dW = (alpha / rank) C (x) (A B)        C (f, f), A (out / f, rank), B (rank, in / f)

Each number of C multiplies a whole copy of A B: one pattern, repeated f * f times with different
strength. Yeh et al. 2024, "LyCORIS", arXiv:2309.14859, section 3.
"""

import math

import torch
from torch import nn
from torch.nn.utils.parametrize import register_parametrization

from harness import hookimpl

FACTOR = 4  # f, where it divides the layer's sizes


class LoKr(nn.Module):
    """From the frozen weight to the weight that is used. Before training both are the same."""

    def __init__(self, weight, rank, alpha):
        super().__init__()
        rows, columns = weight.flatten(1).shape  # (out, in), a convolution's kernel laid flat
        factor = math.gcd(FACTOR, rows, columns)
        self.small = nn.Parameter(torch.empty(factor, factor))  # C
        self.low_a = nn.Parameter(torch.zeros(rows // factor, rank))
        self.low_b = nn.Parameter(torch.empty(rank, columns // factor))
        # One factor starts at zero, so the product does too. All at zero would never move.
        nn.init.kaiming_uniform_(self.small, a=5**0.5)
        nn.init.kaiming_uniform_(self.low_b, a=5**0.5)
        self.scale = alpha / rank
        self.lora_scale = 1.0  # `generate` changes it: 0 is the base, 1 is as trained

    def forward(self, weight):
        change = torch.kron(self.small, self.low_a @ self.low_b)  # (out, in)
        return weight + self.lora_scale * self.scale * change.view_as(weight)


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
            lokr = LoKr(layer.weight, config.rank, config.effective_alpha).to(layer.weight.device)
            # torch's way to say "this weight is computed": whoever reads layer.weight from now on
            # gets lokr(the frozen weight).
            register_parametrization(layer, "weight", lokr)
            adapter[name.replace(".", "_")] = lokr
    return adapter
