"""The tiny models on which the hooks run: real classes and SD 1.x's layer names, few channels.

The U-Net is random and has the embedded base's blocks, named as SD 1.x's. The text encoder and
tokenizer are the embedded base's. The autoencoder is a real ``AutoencoderKL`` whose encoder gives
each picture a *known* latent: the mean colour, one channel each, and a constant. So the noisy
latents that reach the U-Net can be checked in closed form.
"""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from torch import Tensor, nn

from harness.gate.spies import SpiedUNet, Spy
from harness.protocol.base_model import EMBEDDED_BASE, load_pipeline, with_models

if TYPE_CHECKING:
    from collections.abc import Sequence

# Unscaled latents of a white picture. Large beside the noise (10.9 after scaling), so that a single
# sample tells picture and noise level, even at the last timesteps.
GAIN = 60.0
PIXELS = 64
LATENTS = PIXELS // 8


class KnownEncoder(nn.Module):
    """Stands where the VAE's encoder stands: known latents with hardly any deviation."""

    def __init__(self) -> None:
        super().__init__()
        # A parameter, so that dtype, device and "is the VAE frozen?" have something to look at.
        self.gain = nn.Parameter(torch.tensor(GAIN))

    def forward(self, pixel_values: Tensor, *_: Any) -> Tensor:
        """Return the moments (B, 8, h, w) for pixel_values (B, 3, H, W)."""
        batch, _c, height, width = pixel_values.shape
        levels = torch.ones(batch, 4, 1, 1, dtype=pixel_values.dtype)  # (B, 4, 1, 1)
        levels = torch.cat([pixel_values.mean((2, 3), keepdim=True), levels[:, :1]], dim=1)
        mean = (levels * self.gain).expand(batch, 4, height // 8, width // 8)
        return torch.cat([mean, torch.full_like(mean, -30.0)], dim=1)  # (B, 8, h, w)


class KnownDecoder(nn.Module):
    """Stands where the VAE's decoder stands: three channels of the latents, enlarged."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1 / GAIN))

    def forward(self, latents: Tensor, *_: Any) -> Tensor:
        """Return pictures (B, 3, H, W) for unscaled latents (B, 4, h, w)."""
        return nn.functional.interpolate(latents[:, :3] * self.gain, scale_factor=8.0)


@cache
def empty_vae() -> AutoencoderKL:
    """Return a real AutoencoderKL without encoder and decoder: building those takes a while."""
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 4, 4, 4),
        layers_per_block=1,
        norm_num_groups=2,
        sample_size=PIXELS,
        scaling_factor=0.18215,
    )
    vae.encoder, vae.decoder = nn.Identity(), nn.Identity()
    vae.quant_conv, vae.post_quant_conv = nn.Identity(), nn.Identity()
    return vae.eval()


def known_vae() -> AutoencoderKL:
    """Return a real AutoencoderKL with a known encoder and decoder."""
    vae = copy.deepcopy(empty_vae())
    vae.encoder = KnownEncoder()
    vae.decoder = KnownDecoder()
    return vae.eval()


class Workshop:
    """Makes tiny pipelines that do not touch each other."""

    @classmethod
    @cache
    def shared(cls) -> Self:
        """Return the workshop of this process; whatever it makes is a copy."""
        return cls()

    def __init__(self, base: Path = EMBEDDED_BASE) -> None:
        self.base = load_pipeline(base)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            self._unet = SpiedUNet(
                sample_size=LATENTS,
                block_out_channels=(16, 16),
                # The embedded base's blocks: whoever names layers there finds them here.
                down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                layers_per_block=2,
                cross_attention_dim=self.base.text_encoder.config.hidden_size,
                attention_head_dim=2,
                norm_num_groups=4,
            ).eval()

    def tiny(
        self,
        spy: Spy,
        *,
        text_encoder: nn.Module | None = None,
        **scheduler: Any,
    ) -> StableDiffusionPipeline:
        """Return a pipeline of the random U-Net and the known VAE, watched by ``spy``.

        Args:
            spy: Watches U-Net and text encoder.
            text_encoder: Another one in place of the base's, of which a copy is used.
            scheduler: Entries of the scheduler's configuration to change.
        """
        unet = copy.deepcopy(self._unet)
        unet.spy = spy
        text_encoder = copy.deepcopy(text_encoder or self.base.text_encoder)
        spy.watch_text_encoder(text_encoder, self.base.tokenizer)
        return with_models(
            self.base,
            unet=unet,
            vae=known_vae(),
            text_encoder=text_encoder,
            tokenizer=copy.deepcopy(self.base.tokenizer),
            scheduler=type(self.base.scheduler).from_config(
                self.base.scheduler.config, **scheduler
            ),
        )

    def real(self) -> StableDiffusionPipeline:
        """Return a fresh copy of the embedded base."""
        parts = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
        return with_models(
            self.base, **{part: copy.deepcopy(getattr(self.base, part)) for part in parts}
        )

    @torch.no_grad()
    def embed(self, captions: Sequence[str]) -> Tensor:
        """Return what the untouched text encoder makes of captions, (n, S, D)."""
        ids = self.base.tokenizer(
            list(captions), padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        hidden: Tensor = self.base.text_encoder(ids)[0]
        return hidden
