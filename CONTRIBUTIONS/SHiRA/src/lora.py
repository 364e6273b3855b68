"""SHiRA: a few of the weight's own numbers are trained, and the rest stays as it is.

    W' = W + S        S is zero but at rank * (in + out) places, drawn once by lot

Bhardwaj et al. 2024, "Sparse High Rank Adapters", arXiv:2406.13175, the mask SHiRA-Rand.
"""

import torch
from torch import nn
from torch.nn.utils.parametrize import register_parametrization

from harness import hookimpl

SEED = 0  # of the places; they are not in the file, this number brings them back


class SHiRA(nn.Module):
    """From the frozen weight to the weight that is used. Before training both are the same."""

    def __init__(self, weight, rank):
        super().__init__()
        rows, columns = weight.flatten(1).shape  # (out, in), a convolution's kernel laid flat
        count = min(rank * (rows + columns), weight.numel())  # as many numbers as LoRA has
        generator = torch.Generator("cpu").manual_seed(SEED)
        places = torch.randperm(weight.numel(), generator=generator)[:count]
        self.register_buffer("places", places.to(weight.device), persistent=False)
        self.values = nn.Parameter(torch.zeros(count, device=weight.device))
        self.lora_scale = 1.0  # `generate` changes it: 0 is the base, 1 is as trained

    def forward(self, weight):
        change = torch.zeros_like(weight).flatten()  # S, laid flat
        change = change.index_add(0, self.places, self.values)
        return weight + self.lora_scale * change.view_as(weight)


@hookimpl
def make_lora(pipeline, config):
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(False)  # the base stays as it is
    endings = tuple(f".{ending}" for ending in config.target_endings)
    adapter = nn.ModuleDict()
    # A list, because registering adds modules while the loop goes through them.
    for name, layer in list(pipeline.unet.named_modules()):
        if isinstance(layer, (nn.Linear, nn.Conv2d)) and f".{name}".endswith(endings):
            shira = SHiRA(layer.weight, config.rank)
            # torch's way to say "this weight is computed": whoever reads layer.weight from now on
            # gets shira(the frozen weight).
            register_parametrization(layer, "weight", shira)
            adapter[name.replace(".", "_")] = shira
    return adapter
