"""Give the latents mean 0 and the very std that SD 1.4's scaling factor expects."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL

from .settings import LATENT_CHANNELS, SCALING_FACTOR


@torch.no_grad()
def rescale_latents(vae: AutoencoderKL, latents: torch.Tensor) -> None:
    """Change the 1x1 convolutions so that ``latents * 0.18215`` has mean 0, std 1 per channel.

    Both are 1x1 convolutions, so the change is exact: encoding gives scaled and shifted latents,
    decoding undoes it, and every reconstruction stays what it was.

    Args:
        vae: Autoencoder, changed in place.
        latents: (N, C, h, w) posterior means of training pictures under the present weights.
    """
    mean = latents.mean((0, 2, 3)).to(vae.device)  # (C,)
    scale = 1.0 / (SCALING_FACTOR * latents.std((0, 2, 3)).to(vae.device))  # (C,)
    channels = LATENT_CHANNELS
    # The first half of quant_conv's outputs are means, the second half log-variances.
    quant, post = vae.quant_conv, vae.post_quant_conv
    # post_quant_conv first: it needs the old meaning of the latents, z_old = z_new / scale + mean.
    post.bias += post.weight[:, :, 0, 0] @ mean
    post.weight /= scale.view(1, -1, 1, 1)
    quant.weight[:channels] *= scale.view(-1, 1, 1, 1)
    quant.bias[:channels] = (quant.bias[:channels] - mean) * scale
    quant.bias[channels:] += 2.0 * scale.log()
