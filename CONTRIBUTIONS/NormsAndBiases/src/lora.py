"""Train what is small already: the scales of the normalisation layers, and all biases.

    p' = p + offset        for each bias, and each weight of a norm

Ben Zaken et al. 2022, "BitFit", arXiv:2106.10199, trains the biases of a language model; a
diffusion U-Net has its GroupNorms besides, which set how strong each channel is.
"""

import torch
from torch import nn
from torch.nn.utils.parametrize import register_parametrization

from harness import hookimpl


class Offset(nn.Module):
    """From the frozen numbers to those that are used. Before training both are the same."""

    def __init__(self, parameter):
        super().__init__()
        self.offset = nn.Parameter(torch.zeros_like(parameter))
        self.lora_scale = 1.0  # `generate` changes it: 0 is the base, 1 is as trained

    def forward(self, parameter):
        return parameter + self.lora_scale * self.offset


@hookimpl
def make_lora(pipeline, config):
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(False)  # the base stays as it is
    adapter = nn.ModuleDict()
    # A list, because registering adds modules while the loop goes through them.
    for name, layer in list(pipeline.unet.named_modules()):
        for key, parameter in list(layer.named_parameters(recurse=False)):
            if key == "bias" or isinstance(layer, (nn.GroupNorm, nn.LayerNorm)):
                offset = Offset(parameter)
                # torch's way to say "this parameter is computed": whoever reads layer.bias from
                # now on gets offset(the frozen bias).
                register_parametrization(layer, key, offset)
                adapter[f"{name}.{key}".replace(".", "_")] = offset
    return adapter
