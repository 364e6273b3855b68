"""What the two frozen models do: pictures become latents, captions become embeddings.

Shapes in comments: B batch, N pictures, H W pixels, h w = H/8 W/8, S tokens (77 in SD 1.4), D text
width (768 in SD 1.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import latent_cache

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, StableDiffusionPipeline
    from transformers import CLIPTokenizer


def tokenize(tokenizer: CLIPTokenizer, captions: Sequence[str]) -> Tensor:
    """Return the captions as token ids (n, S), all padded or cut to the tokenizer's length."""
    input_ids: Tensor = tokenizer(
        list(captions),
        padding="max_length",
        truncation=True,
        max_length=tokenizer.model_max_length,
        return_tensors="pt",
    ).input_ids
    return input_ids


class EncodedPictures(NamedTuple):
    """The pictures as the VAE sees them: a normal distribution for each latent, on the CPU."""

    means: list[Tensor]  # (4, h, w) each
    stds: list[Tensor]  # (4, h, w) each
    captions: list[str]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """(4, h, w) of each picture."""
        return [tuple(mean.shape) for mean in self.means]

    def sample(self, pictures: Tensor, noise: Tensor) -> Tensor:
        """Draw unscaled latents (B, 4, h, w) of pictures of one size, given standard noise.

        Every step draws anew: one fixed sample per picture would be learnt by heart.
        """
        means = torch.stack([self.means[i] for i in pictures.tolist()])  # (B, 4, h, w)
        stds = torch.stack([self.stds[i] for i in pictures.tolist()])  # (B, 4, h, w)
        return means + stds * noise


def encode_pictures(
    vae: AutoencoderKL, dataset: Dataset[tuple[Tensor, str]], cache_dir: Path | None = None
) -> EncodedPictures:
    """Pass each picture through the VAE once; equal ones (repeats) only the first time.

    Each goes alone, because in a batch it would be rounded differently with other neighbours.

    Args:
        vae: Frozen.
        dataset: Items ``(pixel_values (3, H, W) in [-1, 1], caption)``; H and W may differ.
        cache_dir: Where latents are kept for later runs; None keeps them in this one.

    Raises:
        DataSetError: The VAE made something that is not finite of a picture, which is named.
    """
    posteriors, captions = latent_cache.encode_dataset(vae, dataset, cache_dir)
    return EncodedPictures([p.mean for p in posteriors], [p.std for p in posteriors], captions)


class EncodedCaptions:
    """The captions as the text encoder sees them.

    Args:
        pipeline: For its tokenizer and text encoder.
        captions: One per picture.
        cache_dir: Where embeddings are kept for later runs; None keeps them in this one.
    """

    def __init__(
        self,
        pipeline: StableDiffusionPipeline,
        captions: Sequence[str],
        cache_dir: Path | None = None,
    ) -> None:
        self.text_encoder = pipeline.text_encoder
        # Each text once, the empty one first: it stands in for those that are hidden.
        texts = {text: row for row, text in enumerate(dict.fromkeys(["", *captions]))}
        self.rows = torch.tensor([texts[caption] for caption in captions])  # (N,)
        self.input_ids = tokenize(pipeline.tokenizer, list(texts))  # (texts, S)
        # The adapter may train the text encoder: then nothing can be kept.
        self.is_trained = any(p.requires_grad for p in self.text_encoder.parameters())
        self.kept = torch.empty(0)
        if not self.is_trained:
            self.kept = latent_cache.encode_captions(
                self.text_encoder, self.input_ids, cache_dir
            ).cpu()  # (texts, S, D)

    def encode(self, input_ids: Tensor) -> Tensor:
        """Return (B, S, D) for token ids (B, S)."""
        hidden: Tensor = self.text_encoder(input_ids.to(self.text_encoder.device))[0]  # (B, S, D)
        return hidden

    def __call__(self, pictures: Tensor, dropped: Tensor) -> Tensor:
        """Return encoder_hidden_states (B, S, D) of these pictures, the dropped ones empty."""
        rows = self.rows[pictures].masked_fill(dropped, 0)  # (B,)
        return self.encode(self.input_ids[rows]) if self.is_trained else self.kept[rows]
