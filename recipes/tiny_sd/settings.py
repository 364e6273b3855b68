"""Every number of the recipe in one place, with a toy size that runs in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

RESOLUTION_PX: Final = 64
LATENT_CHANNELS: Final = 16
LATENT_SIZE: Final = 8
# What SD 1.4 multiplies its latents with; the latents are whitened to make it right here too.
SCALING_FACTOR: Final = 0.18215
MODEL_MAX_LENGTH: Final = 40

SCHEDULER: Final[dict[str, Any]] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}


# Name of a size -> what the U-Net's widths are divided by.
SIZES: Final = {"full": 1, "half": 2}


@dataclass(frozen=True)
class VaeSettings:
    """Autoencoder: widths, loss weights and schedule (steps of `batch_size` pictures)."""

    widths: tuple[int, ...] = (32, 64, 96, 128)
    latent_channels: int = LATENT_CHANNELS
    resolution_px: int = RESOLUTION_PX
    norm_groups: int = 2
    batch_size: int = 16
    train_steps: int = 4500
    decay_steps: int = 1500
    learning_rate: float = 1e-3
    # After so many steps the latents are whitened: by then they say something.
    whiten_at: tuple[int, ...] = (2000,)
    kl_weight: float = 2e-6
    l1_weight: float = 0.1
    ema_decay: float = 0.999
    seed: int = 3


@dataclass(frozen=True)
class UnetSettings:
    """U-Net and text encoder: widths, loss and schedule (steps of `batch_size` latents)."""

    widths: tuple[int, ...] = (64, 128)
    heads: int = 4
    layers_per_block: int = 2
    norm_groups: int = 8
    latent_channels: int = LATENT_CHANNELS
    text_width: int = 128
    text_layers: int = 2
    text_heads: int = 4
    # Muon's own work does not grow with the batch: 128 cost 1.06 s where twice 64 cost 1.36 s.
    batch_size: int = 128
    train_steps: int = 16000
    decay_steps: int = 2000
    learning_rate: float = 1.4e-3
    caption_dropout: float = 0.1
    min_snr_gamma: float = 5.0
    ema_decay: float = 0.999
    seed: int = 4


@dataclass(frozen=True)
class Recipe:
    """The whole recipe; `toy()` shrinks it to seconds for tests."""

    merges: int = 1000
    icon_px: int = 96
    composites: int = 32_000
    checkpoint_every: int = 250
    preview_every: int = 500
    share_cpu: bool = False
    decoder_steps: int = 2000
    evaluation_prompts: int = 200
    vae: VaeSettings = field(default_factory=VaeSettings)
    unet: UnetSettings = field(default_factory=UnetSettings)

    def sized(self, size: str) -> Recipe:
        """Return the same recipe for a U-Net of another size.

        Only the U-Net's widths change. The text encoder keeps its width, and so does what the U-Net
        reads of a caption: where two sizes differ, it is not in what they understand. The
        autoencoder is the same one, so both sizes train on the same latents.

        Args:
            size: One of `SIZES`.
        """
        widths = tuple(width // SIZES[size] for width in self.unet.widths)
        return replace(self, unet=replace(self.unet, widths=widths))

    @classmethod
    def toy(cls) -> Recipe:
        """Shrink everything to seconds: it runs all the code and teaches nothing."""
        return cls(
            merges=60,
            composites=24,
            checkpoint_every=2,
            preview_every=4,
            decoder_steps=2,
            evaluation_prompts=4,
            vae=VaeSettings(
                widths=(4, 4, 8, 8), batch_size=4, train_steps=4, decay_steps=2, whiten_at=(2,)
            ),
            unet=UnetSettings(
                widths=(16, 32), text_width=32, batch_size=4, train_steps=4, decay_steps=2
            ),
        )
