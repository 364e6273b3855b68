"""Check that base + delta computes what the live model computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolkit.deltas.probing import add_delta, relative_error

BATCH = 4


@torch.no_grad()
def merge_error(
    clean_unet: nn.Module,
    live_unet: nn.Module,
    delta: dict[str, Tensor],
    *,
    sample_size: int,
    cross_attention_dim: int,
    tokens: int,
) -> float:
    """Return the relative error of ``clean + delta`` against the live U-Net on random inputs.

    Args:
        clean_unet: The untouched U-Net.
        live_unet: The trained one, adapter attached.
        delta: What `effective_delta` found.
        sample_size: Side of the latents.
        cross_attention_dim: Width of the text embeddings.
        tokens: Length of the text embeddings.
    """
    generator = torch.Generator().manual_seed(0)
    device = next(clean_unet.parameters()).device

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    channels = int(clean_unet.config.in_channels)  # type: ignore[union-attr,arg-type]
    latents = normal(BATCH, channels, sample_size, sample_size)  # (B, C, h, w)
    timesteps = torch.linspace(10, 990, BATCH, device=device).long()  # (B,)
    encoder_hidden_states = normal(BATCH, tokens, cross_attention_dim)  # (B, S, D)
    merged = add_delta(clean_unet, delta)
    wanted = live_unet(latents, timesteps, encoder_hidden_states).sample
    found = merged(latents, timesteps, encoder_hidden_states).sample
    return relative_error(found, wanted)


@torch.no_grad()
def text_merge_error(
    clean_encoder: nn.Module, live_encoder: nn.Module, delta: dict[str, Tensor], tokens: int
) -> float:
    """The same for the text encoder, on random token ids."""
    generator = torch.Generator().manual_seed(0)
    size = clean_encoder.config.vocab_size  # type: ignore[union-attr]
    input_ids = torch.randint(0, int(size), (BATCH, tokens), generator=generator)  # type: ignore[arg-type]
    input_ids = input_ids.to(next(clean_encoder.parameters()).device)
    merged = add_delta(clean_encoder, delta)
    return relative_error(merged(input_ids)[0], live_encoder(input_ids)[0])
