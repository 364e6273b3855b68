"""DoRA: the length of each row of W is trained by itself, LoRA turns the rows.

    W' = m * V / ||V||        V = W + (alpha / rank) B A        m starts as ||W||

The norm is taken of each row: one output neuron. Liu et al. 2024, arXiv:2402.09353, equation 5.
"""

import torch
from torch import nn
from torch.nn.utils.parametrize import register_parametrization

from harness import hookimpl


class DoRA(nn.Module):
    """From the frozen weight to the weight that is used. Before training both are the same."""

    def __init__(self, weight, rank, alpha):
        super().__init__()
        rows = weight.detach().flatten(1)  # (out, in), a convolution's kernel laid flat
        self.lora_A = nn.Parameter(torch.empty(rank, rows.shape[1]))
        self.lora_B = nn.Parameter(torch.zeros(rows.shape[0], rank))
        nn.init.kaiming_uniform_(self.lora_A, a=5**0.5)
        self.magnitude = nn.Parameter(rows.norm(dim=1, keepdim=True))  # (out, 1)
        self.scale = alpha / rank
        self.lora_scale = 1.0  # `generate` changes it: 0 is the base, 1 is as trained

    def forward(self, weight):
        rows = weight.flatten(1)  # (out, in)
        direction = rows + self.scale * (self.lora_B @ self.lora_A)  # (out, in)
        # Section 4.3 of the paper: no gradient through the norm. As good, and less memory.
        length = direction.detach().norm(dim=1, keepdim=True)  # (out, 1)
        change = self.magnitude * direction / length - rows  # (out, in)
        return (rows + self.lora_scale * change).view_as(weight)


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
            dora = DoRA(layer.weight, config.rank, config.effective_alpha).to(layer.weight.device)
            # torch's way to say "this weight is computed": whoever reads layer.weight from now on
            # gets dora(the frozen weight).
            register_parametrization(layer, "weight", dora)
            adapter[name.replace(".", "_")] = dora
    return adapter
