"""VeRA: A and B are random and stay so; what is trained is how much of each is used.

    dW = diag(b) B diag(d) A        A (rank, in), B (out, rank) random; d (rank), b (out) trained

Kopiczko et al. 2024, "VeRA: Vector-based Random Matrix Adaptation", arXiv:2310.11454, equation 2.
"""

import torch
from torch import nn
from torch.nn.utils.parametrize import register_parametrization

from harness import hookimpl

SEED = 0  # of the random matrices; they are not in the file, this number brings them back
D_INITIAL = 0.1  # the paper's choice


def random_matrix(rows, columns, number):
    """Return the same uniform matrix of variance 1 / columns on every machine; 1 is A, 2 is B."""
    generator = torch.Generator("cpu").manual_seed(SEED + number)
    bound = (3 / columns) ** 0.5
    return (torch.rand(rows, columns, generator=generator) * 2 - 1) * bound


class VeRA(nn.Module):
    """From the frozen weight to the weight that is used. Before training both are the same."""

    def __init__(self, weight, rank):
        super().__init__()
        rows, columns = weight.flatten(1).shape  # (out, in), a convolution's kernel laid flat
        # Layers of one size have equal random matrices, as in the paper.
        self.register_buffer("random_A", random_matrix(rank, columns, 1), persistent=False)
        self.register_buffer("random_B", random_matrix(rows, rank, 2), persistent=False)
        self.d = nn.Parameter(torch.full((rank, 1), D_INITIAL))
        self.b = nn.Parameter(torch.zeros(rows, 1))
        self.lora_scale = 1.0  # `generate` changes it: 0 is the base, 1 is as trained

    def forward(self, weight):
        change = self.b * (self.random_B @ (self.d * self.random_A))  # (out, in)
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
            # On the layer's device already, because registering calls forward once.
            vera = VeRA(layer.weight, config.rank).to(layer.weight.device)
            # torch's way to say "this weight is computed": whoever reads layer.weight from now on
            # gets vera(the frozen weight).
            register_parametrization(layer, "weight", vera)
            adapter[name.replace(".", "_")] = vera
    return adapter
