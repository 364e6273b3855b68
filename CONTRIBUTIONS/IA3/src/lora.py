"""IA3: make neurons louder or quieter, one factor each.

    k' = l_k * W_k x        v' = l_v * W_v x        y' = W_2 (l_ff * x)

Liu et al. 2022, "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context
Learning", arXiv:2205.05638, section 3.3. Keys and values are scaled where they come out, the
feed-forward layer where its hidden numbers go in.
"""

import torch
from torch import nn
from torch.nn.utils.parametrize import register_parametrization

from harness import hookimpl


class IA3(nn.Module):
    """From the frozen weight to the weight that is used. Before training both are the same."""

    def __init__(self, weight, scale_inputs):
        super().__init__()
        shape = [1] * weight.dim()
        axis = 1 if scale_inputs else 0
        shape[axis] = weight.shape[axis]
        self.offset = nn.Parameter(torch.zeros(shape))  # the factor is 1 + offset
        self.lora_scale = 1.0  # `generate` changes it: 0 is the base, 1 is as trained

    def forward(self, weight):
        return weight * (1.0 + self.lora_scale * self.offset)


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
            ia3 = IA3(layer.weight, scale_inputs="ff.net" in name).to(layer.weight.device)
            # torch's way to say "this weight is computed": whoever reads layer.weight from now on
            # gets ia3(the frozen weight).
            register_parametrization(layer, "weight", ia3)
            adapter[name.replace(".", "_")] = ia3
    return adapter
