"""Give a trained autoencoder fewer latent channels: the main directions of the ones it has."""

from __future__ import annotations

from dataclasses import replace

import torch
from diffusers import AutoencoderKL

from .models import build_vae
from .settings import VaeSettings
from .vae import quiet_posterior


@torch.no_grad()
def narrowed(
    vae: AutoencoderKL, settings: VaeSettings, channels: int, pixel_values: torch.Tensor
) -> AutoencoderKL:
    """Build the best autoencoder of `channels` that needs no training.

    The 1x1 convolutions on both sides of the latents are folded into their neighbours; between
    them stands a projection on the main directions of the latents of `pixel_values`.

    Args:
        vae: Trained autoencoder of C channels.
        settings: What it was built from.
        channels: Number of latent channels, at most C.
        pixel_values: (B, 3, H, W) pictures whose latents tell the main directions.

    Returns:
        A new autoencoder; with as many channels as before it is the same function.
    """
    narrow = build_vae(replace(settings, latent_channels=channels))
    quiet_posterior(narrow)
    old, new = vae.state_dict(), narrow.state_dict()
    same = {key: value for key, value in old.items() if value.shape == new[key].shape}
    narrow.load_state_dict({**new, **same})

    count = vae.config.latent_channels
    latents = vae.encode(pixel_values).latent_dist.mode()  # (B, C, h, w)
    rows = latents.permute(0, 2, 3, 1).flatten(0, 2)  # (B * h * w, C)
    centre = rows.mean(0)  # (C,)
    directions = torch.linalg.svd(rows - centre, full_matrices=False).Vh[:channels]  # (k, C)

    to_means = directions @ vae.quant_conv.weight[:count, :, 0, 0]  # (k, 2C)
    offset = directions @ (vae.quant_conv.bias[:count] - centre)  # (k,)
    first, last = narrow.encoder.conv_out, narrow.decoder.conv_in
    old_first, old_last = vae.encoder.conv_out, vae.decoder.conv_in
    first.weight[:channels] = torch.einsum("kc,cixy->kixy", to_means, old_first.weight)
    first.bias[:channels] = to_means @ old_first.bias + offset
    _identity(narrow.quant_conv, channels)
    # A convolution with padding sees zeros around the picture: what has no direction of its own
    # goes into the 1x1 convolution before it where it can, the rest is near enough.
    back = vae.post_quant_conv.weight[:, :, 0, 0] @ directions.T  # (C, k)
    constant = vae.post_quant_conv.weight[:, :, 0, 0] @ centre + vae.post_quant_conv.bias  # (C,)
    last.weight.copy_(torch.einsum("oixy,ik->okxy", old_last.weight, back))
    last.bias.copy_(old_last.bias + torch.einsum("oixy,i->o", old_last.weight, constant))
    _identity(narrow.post_quant_conv, channels)
    return narrow


def _identity(convolution: torch.nn.Conv2d, channels: int) -> None:
    """Make the first `channels` outputs of a 1x1 convolution its first inputs."""
    torch.nn.init.zeros_(convolution.weight[:channels])
    if convolution.bias is not None:
        torch.nn.init.zeros_(convolution.bias[:channels])
    convolution.weight[:channels, :channels, 0, 0] = torch.eye(channels)
