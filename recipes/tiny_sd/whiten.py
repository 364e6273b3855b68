"""Give the latents mean 0, one std in every channel, and channels that say different things.

An autoencoder left to itself writes brightness and colour a hundred times larger than detail.
Detail then drowns in the posterior's noise, in the U-Net's too, and is learned late. A change of
the two 1x1 convolutions around the latents puts that right and changes no reconstruction.
"""

from __future__ import annotations

from typing import Final

import torch
from diffusers import AutoencoderKL

BATCH: Final = 64
# A direction that says nothing is not blown up beyond this share of the strongest one.
SMALLEST_SHARE: Final = 1e-3


@torch.no_grad()
def whiten_latents(vae: AutoencoderKL, pixel_values: torch.Tensor, std: float) -> None:
    """Change the 1x1 convolutions so that the latents' covariance is ``std ** 2`` times identity.

    The log-variances become constants: the mean ones of the new channels.

    Args:
        vae: Autoencoder, changed in place.
        pixel_values: (N, 3, H, W) training pictures whose latents are measured.
        std: What each channel's std becomes.
    """
    means, variances = _posteriors(vae, pixel_values)  # (M, C), (C,)
    centre = means.mean(0)  # (C,)
    spread, directions = torch.linalg.eigh(torch.cov((means - centre).T))  # (C,), (C, C)
    spread = spread.clamp(min=float(spread.max()) * SMALLEST_SHARE**2).sqrt()  # (C,)
    # z_new = to_new (z_old - centre), z_old = to_old z_new + centre
    to_new = std * directions.T / spread[:, None]  # (C, C)
    to_old = directions * spread / std  # (C, C)

    channels = len(centre)
    quant, post = vae.quant_conv, vae.post_quant_conv
    post.bias += post.weight[:, :, 0, 0] @ centre
    post.weight.copy_((post.weight[:, :, 0, 0] @ to_old)[:, :, None, None])
    # The first half of quant_conv's outputs are means, the second half log-variances.
    quant.weight[:channels] = (to_new @ quant.weight[:channels, :, 0, 0])[:, :, None, None]
    quant.bias[:channels] = to_new @ (quant.bias[:channels] - centre)
    quant.weight[channels:] = 0.0
    quant.bias[channels:] = (to_new.square() @ variances).log()


def _posteriors(
    vae: AutoencoderKL, pixel_values: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the posteriors' means at all places, (N * h * w, C), and mean variances, (C,)."""
    means, variances = [], []
    for batch in torch.split(pixel_values, BATCH):
        posterior = vae.encode(batch.contiguous(memory_format=torch.channels_last)).latent_dist
        means.append(posterior.mean.permute(0, 2, 3, 1).flatten(0, 2))
        variances.append(posterior.var.mean((0, 2, 3)))
    return torch.cat(means), torch.stack(variances).mean(0)
