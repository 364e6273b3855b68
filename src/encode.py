"""What the two frozen models do: pictures become latents, captions become embeddings.

Shapes in comments: B batch, N pictures, H W pixels, h w = H/8 W/8, S tokens (77 in SD 1.4), D text
width (768 in SD 1.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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


@torch.no_grad()
def encode_pictures(
    vae: AutoencoderKL, dataset: Dataset[tuple[Tensor, str]], batch_size: int
) -> tuple[Tensor, Tensor, list[str]]:
    """Pass each picture through the VAE once.

    The VAE gives a normal distribution for each latent. Its mean and deviation are kept, and every
    step draws from them anew: one fixed sample per picture would be learnt by heart.

    Returns:
        Mean and standard deviation, (N, 4, h, w) each, on the CPU, and the N captions.
    """
    items: Any = dataset  # torch's Dataset declares no __len__, but a map-style one has it
    means, stds, captions = [], [], []
    for first in range(0, len(items), batch_size):
        batch = [items[i] for i in range(first, min(first + batch_size, len(items)))]
        pixel_values = torch.stack([pixels for pixels, _ in batch])  # (B, 3, H, W)
        posterior = vae.encode(pixel_values.to(vae.device, vae.dtype)).latent_dist
        means.append(posterior.mean.float().cpu())  # (B, 4, h, w)
        stds.append(posterior.std.float().cpu())  # (B, 4, h, w)
        captions += [caption for _, caption in batch]
    return torch.cat(means), torch.cat(stds), captions


class EncodedCaptions:
    """The captions as the text encoder sees them.

    Args:
        pipeline: For its tokenizer and text encoder.
        captions: One per picture.
    """

    def __init__(self, pipeline: StableDiffusionPipeline, captions: Sequence[str]) -> None:
        self.text_encoder = pipeline.text_encoder
        # The empty caption comes last, as row -1: it stands in for those that are hidden.
        self.input_ids = tokenize(pipeline.tokenizer, [*captions, ""])  # (N + 1, S)
        # Somebody else's make_lora may train the text encoder: then nothing can be kept.
        self.is_trained = any(p.requires_grad for p in self.text_encoder.parameters())
        with torch.no_grad():
            self.kept = torch.cat([self.encode(ids[None]) for ids in self.input_ids])

    def encode(self, input_ids: Tensor) -> Tensor:
        """Return (B, S, D) for token ids (B, S)."""
        hidden: Tensor = self.text_encoder(input_ids.to(self.text_encoder.device))[0]  # (B, S, D)
        return hidden

    def __call__(self, pictures: Tensor, dropped: Tensor) -> Tensor:
        """Return encoder_hidden_states (B, S, D) of these pictures, the dropped ones empty."""
        rows = pictures.masked_fill(dropped, -1)  # (B,)
        return self.encode(self.input_ids[rows]) if self.is_trained else self.kept[rows]
