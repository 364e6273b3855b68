"""PiSSA: LoRA whose matrices start as the strongest part of the weight itself.

    W = U S V^T        A0 = sqrt(S_r) V_r^T        B0 = U_r sqrt(S_r)        (the r largest of S)
    W' = (W - B0 A0) + B A

Meng et al. 2024, "PiSSA: Principal Singular Values and Singular Vectors Adaptation",
arXiv:2404.02948, equations 2 to 4. The scale alpha / rank is 1, as in the paper.
"""

import torch
from torch import nn
from torch.nn.utils.parametrize import register_parametrization

from harness import hookimpl


class PiSSA(nn.Module):
    """From the frozen weight to the weight that is used. Before training both are the same."""

    def __init__(self, weight, rank):
        super().__init__()
        rows = weight.detach().flatten(1)  # (out, in), a convolution's kernel laid flat
        u, s, vt = torch.linalg.svd(rows, full_matrices=False)
        root = s[:rank].sqrt()
        # Where training starts. Kept, so that the frozen weight need not be changed.
        self.register_buffer("start_A", root[:, None] * vt[:rank])  # (rank, in)
        self.register_buffer("start_B", u[:, :rank] * root)  # (out, rank)
        self.lora_A = nn.Parameter(self.start_A.clone())
        self.lora_B = nn.Parameter(self.start_B.clone())
        self.lora_scale = 1.0  # `generate` changes it: 0 is the base, 1 is as trained

    def forward(self, weight):
        change = self.lora_B @ self.lora_A - self.start_B @ self.start_A  # (out, in)
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
            pissa = PiSSA(layer.weight, config.rank)
            # torch's way to say "this weight is computed": whoever reads layer.weight from now on
            # gets pissa(the frozen weight).
            register_parametrization(layer, "weight", pissa)
            adapter[name.replace(".", "_")] = pissa
    return adapter
