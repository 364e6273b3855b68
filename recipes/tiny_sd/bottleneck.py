"""Give a trained autoencoder fewer latent channels: those whose loss it feels most."""

from __future__ import annotations

from dataclasses import replace

import torch
from diffusers import AutoencoderKL

from .models import build_vae
from .settings import VaeSettings
from .vae import quiet_posterior
from .whiten import whiten_latents


@torch.no_grad()
def narrowed(
    vae: AutoencoderKL, settings: VaeSettings, channels: int, pixel_values: torch.Tensor
) -> AutoencoderKL:
    """Build an autoencoder of `channels` that needs little training.

    Args:
        vae: Trained autoencoder of C channels; its latents are whitened in place.
        settings: What it was built from.
        channels: Number of latent channels, at most C.
        pixel_values: (B, 3, H, W) pictures that tell which channels matter.

    Returns:
        A new autoencoder; with as many channels as before it is the same function.
    """
    whiten_latents(vae, pixel_values, 1.0)
    kept = channel_errors(vae, pixel_values).topk(channels).indices.sort().values  # (k,)
    narrow = build_vae(replace(settings, latent_channels=channels))
    # What speaks of latents only has another shape: copied by hand below.
    narrow.encoder.conv_out = torch.nn.Identity()
    narrow.decoder.conv_in = torch.nn.Identity()
    count = vae.config.latent_channels
    old = vae.state_dict()
    convolutions = ("encoder.conv_out.", "decoder.conv_in.", "quant_conv.", "post_quant_conv.")
    narrow.load_state_dict(
        {key: value for key, value in old.items() if not key.startswith(convolutions)},
        strict=False,
    )
    # The 1x1 convolutions stay between the wide layers: 2C -> 2k on the way in, k -> C on the way
    # out would be another class, so they are folded into their neighbours.
    first = torch.nn.Conv2d(vae.encoder.conv_out.in_channels, 2 * channels, 3, padding=1)
    last = torch.nn.Conv2d(channels, vae.decoder.conv_in.out_channels, 3, padding=1)
    rows = torch.cat([kept, kept + count])  # (2k,)
    mixed = vae.quant_conv.weight[rows, :, 0, 0]  # (2k, 2C)
    first.weight.copy_(torch.einsum("kc,cixy->kixy", mixed, vae.encoder.conv_out.weight))
    assert first.bias is not None and last.bias is not None  # noqa: S101 - Conv2d makes them
    first.bias = torch.nn.Parameter(mixed @ vae.encoder.conv_out.bias + vae.quant_conv.bias[rows])
    post = vae.post_quant_conv
    last.weight.copy_(
        torch.einsum("oixy,ik->okxy", vae.decoder.conv_in.weight, post.weight[:, kept, 0, 0])
    )
    # At the border a padding of zeros follows post_quant_conv's bias; here the bias comes after it.
    constant = torch.einsum("oixy,i->o", vae.decoder.conv_in.weight, post.bias)
    last.bias = torch.nn.Parameter(vae.decoder.conv_in.bias + constant)
    narrow.encoder.conv_out, narrow.decoder.conv_in = first, last
    for convolution in (narrow.quant_conv, narrow.post_quant_conv):
        torch.nn.init.dirac_(convolution.weight)
        torch.nn.init.zeros_(convolution.bias)
    quiet_posterior(narrow)
    return narrow


@torch.no_grad()
def channel_errors(vae: AutoencoderKL, pixel_values: torch.Tensor) -> torch.Tensor:
    """Return the squared error that leaving out each latent channel makes, (C,)."""
    latents = vae.encode(pixel_values).latent_dist.mode()  # (B, C, h, w)
    whole = vae.decode(latents).sample  # (B, 3, H, W)
    errors = []
    for channel in range(latents.shape[1]):
        partial = latents.clone()
        partial[:, channel] = 0.0
        errors.append((vae.decode(partial).sample - whole).square().mean())
    return torch.stack(errors)
