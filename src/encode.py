"""What the two frozen models do: pictures become latents, captions become embeddings.

Shapes in comments: B batch, N pictures, H W pixels, h w = H/8 W/8, S tokens (77 in SD 1.4), D text
width (768 in SD 1.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

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


def collate(items: Sequence[tuple[Tensor, str]], tokenizer: CLIPTokenizer) -> tuple[Tensor, Tensor]:
    """Make one batch of dataset items, for ``train_loop``.

    ``DataLoader(dataset, batch_size, collate_fn=functools.partial(collate, tokenizer=tokenizer))``

    Returns:
        pixel_values (B, 3, H, W) and input_ids (B, S).
    """
    pixel_values = torch.stack([pixels for pixels, _ in items])  # (B, 3, H, W)
    return pixel_values, tokenize(tokenizer, [caption for _, caption in items])


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


@torch.no_grad()
def encode_pictures(
    vae: AutoencoderKL, dataset: Dataset[tuple[Tensor, str]], batch_size: int
) -> EncodedPictures:
    """Pass each picture through the VAE once.

    Raises:
        FloatingPointError: The VAE made something that is not finite of a picture.
    """
    items: Any = dataset  # torch's Dataset declares no __len__, but a map-style one has it
    encoded = EncodedPictures([], [], [])
    for first in range(0, len(items), batch_size):
        batch = [items[i] for i in range(first, min(first + batch_size, len(items)))]
        # Pictures of one size pass together; a batch of several sizes goes size by size.
        for run in runs_of_one_size([pixels for pixels, _ in batch]):
            pixel_values = torch.stack(run)  # (B, 3, H, W)
            posterior = vae.encode(pixel_values.to(vae.device, vae.dtype)).latent_dist
            encoded.means.extend(posterior.mean.float().cpu())  # B x (4, h, w)
            encoded.stds.extend(posterior.std.float().cpu())  # B x (4, h, w)
        encoded.captions.extend(caption for _, caption in batch)
    for number, (mean, std) in enumerate(zip(encoded.means, encoded.stds, strict=True)):
        if not (mean.isfinite().all() and std.isfinite().all()):
            raise FloatingPointError(
                f"The VAE makes NaN or infinity of picture {number} of the dataset (from 0), "
                f"{encoded.captions[number]!r}. Keep the VAE in float32, or look at the picture."
            )
    return encoded


def runs_of_one_size(pictures: Sequence[Tensor]) -> list[list[Tensor]]:
    """Cut a row of pictures (3, H, W) where the size changes."""
    runs = groupby(pictures, key=lambda pixel_values: pixel_values.shape)
    return [list(run) for _, run in runs]


class EncodedCaptions:
    """The captions as the text encoder sees them.

    Args:
        pipeline: For its tokenizer and text encoder.
        captions: One per picture.
    """

    def __init__(self, pipeline: StableDiffusionPipeline, captions: Sequence[str]) -> None:
        self.text_encoder = pipeline.text_encoder
        # Each text once, the empty one first: it stands in for those that are hidden.
        texts = {text: row for row, text in enumerate(dict.fromkeys(["", *captions]))}
        self.rows = torch.tensor([texts[caption] for caption in captions])  # (N,)
        self.input_ids = tokenize(pipeline.tokenizer, list(texts))  # (texts, S)
        # The adapter may train the text encoder: then nothing can be kept.
        self.is_trained = any(p.requires_grad for p in self.text_encoder.parameters())
        self.kept = torch.empty(0)
        if not self.is_trained:
            with torch.no_grad():
                encoded = [self.encode(ids[None]).cpu() for ids in self.input_ids]
            self.kept = torch.cat(encoded)  # (texts, S, D)

    def encode(self, input_ids: Tensor) -> Tensor:
        """Return (B, S, D) for token ids (B, S)."""
        hidden: Tensor = self.text_encoder(input_ids.to(self.text_encoder.device))[0]  # (B, S, D)
        return hidden

    def __call__(self, pictures: Tensor, dropped: Tensor) -> Tensor:
        """Return encoder_hidden_states (B, S, D) of these pictures, the dropped ones empty."""
        rows = self.rows[pictures].masked_fill(dropped, 0)  # (B,)
        return self.encode(self.input_ids[rows]) if self.is_trained else self.kept[rows]
