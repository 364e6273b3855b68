"""SD 1.4's components in small: same classes, same module paths, fewer channels."""

from __future__ import annotations

from diffusers import AutoencoderKL, DDPMScheduler, PNDMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from .settings import (
    LATENT_SIZE,
    MODEL_MAX_LENGTH,
    SCALING_FACTOR,
    SCHEDULER,
    UnetSettings,
    VaeSettings,
)


def build_vae(settings: VaeSettings) -> AutoencoderKL:
    """Build the f=8 autoencoder, (B, 3, H, W) <-> (B, C, H / 8, W / 8).

    `norm_groups` must leave several channels in a group: with one channel each, GroupNorm takes a
    flat colour away from every channel and the decoder can not know it.
    """
    levels = len(settings.widths)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=settings.widths,
        layers_per_block=1,
        latent_channels=settings.latent_channels,
        norm_num_groups=settings.norm_groups,
        sample_size=settings.resolution_px,
        scaling_factor=SCALING_FACTOR,
    )


def build_unet(settings: UnetSettings) -> UNet2DConditionModel:
    """Build the U-Net, (B, C, 8, 8) -> (B, C, 8, 8); no attention on the last level."""
    deeper = len(settings.widths) - 1
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=settings.latent_channels,
        out_channels=settings.latent_channels,
        down_block_types=("CrossAttnDownBlock2D",) * deeper + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * deeper,
        block_out_channels=settings.widths,
        layers_per_block=settings.layers_per_block,
        cross_attention_dim=settings.text_width,
        # SD 1.4's config calls the number of heads `attention_head_dim`; tools rely on that
        # reading.
        attention_head_dim=settings.heads,
        norm_num_groups=settings.norm_groups,
    )


def build_text_encoder(settings: UnetSettings, vocab_size: int) -> CLIPTextModel:
    """Build the CLIP text encoder, (B, S) token ids -> (B, S, `text_width`)."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocab_size,
            hidden_size=settings.text_width,
            intermediate_size=4 * settings.text_width,
            projection_dim=settings.text_width,
            num_hidden_layers=settings.text_layers,
            num_attention_heads=settings.text_heads,
            max_position_embeddings=MODEL_MAX_LENGTH,
            hidden_act="quick_gelu",
            # The last two entries of the vocabulary; the end marker also pads, as in SD 1.4.
            bos_token_id=vocab_size - 2,
            eos_token_id=vocab_size - 1,
            pad_token_id=vocab_size - 1,
        )
    )


def training_scheduler() -> DDPMScheduler:
    """Build the noising schedule of SD 1.4 for training (epsilon prediction)."""
    return DDPMScheduler(**SCHEDULER, clip_sample=False, prediction_type="epsilon")


def sampling_scheduler() -> PNDMScheduler:
    """Build SD 1.4's default sampler with SD 1.4's values."""
    return PNDMScheduler(
        **SCHEDULER,
        skip_prk_steps=True,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="epsilon",
    )
