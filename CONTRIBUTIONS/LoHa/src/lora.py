"""LoHa: the change of a weight is a product of two low-rank matrices, number by number.

    dW = (alpha / rank) (A1 B1) * (A2 B2)        * is the elementwise (Hadamard) product

Such a product has a rank of up to rank squared. Hyeon-Woo et al. 2022, "FedPara",
arXiv:2108.06098, proposition 1; for pictures Yeh et al. 2024, "LyCORIS", arXiv:2309.14859.
"""

import torch
from torch import nn
from torch.nn.utils.parametrize import register_parametrization

from harness import hookimpl


class LoHa(nn.Module):
    """From the frozen weight to the weight that is used. Before training both are the same."""

    def __init__(self, weight, rank, alpha):
        super().__init__()
        rows, columns = weight.flatten(1).shape  # (out, in), a convolution's kernel laid flat
        self.w1_a = nn.Parameter(torch.randn(rows, rank) * 0.1)
        self.w1_b = nn.Parameter(torch.randn(rank, columns))
        # One factor starts at zero, so the product does too. All four at zero would never move.
        self.w2_a = nn.Parameter(torch.zeros(rows, rank))
        self.w2_b = nn.Parameter(torch.randn(rank, columns))
        self.scale = alpha / rank
        self.lora_scale = 1.0  # `generate` changes it: 0 is the base, 1 is as trained

    def forward(self, weight):
        change = (self.w1_a @ self.w1_b) * (self.w2_a @ self.w2_b)  # (out, in)
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
            loha = LoHa(layer.weight, config.rank, config.effective_alpha).to(layer.weight.device)
            # torch's way to say "this weight is computed": whoever reads layer.weight from now on
            # gets loha(the frozen weight).
            register_parametrization(layer, "weight", loha)
            adapter[name.replace(".", "_")] = loha
    return adapter
