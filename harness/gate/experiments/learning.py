"""Some steps on the embedded base with most of the track's pictures: does it help, and whom?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from harness.gate.experiments.context import Context, Recorder, attach, train
from toolkit.core.settings import DatasetConfig

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

STEPS, BATCH_SIZE, SIDE = 16, 4, 64
TIMESTEPS = (50, 150, 250, 350, 450, 550, 650, 750, 850, 950)


class Part(Dataset[tuple[Tensor, str]]):
    """Some items of a dataset.

    Args:
        items: Those that are kept.
    """

    def __init__(self, items: list[tuple[Tensor, str]]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Tensor, str]:
        return self.items[index]


@dataclass
class LearningSeen:
    """Denoising losses on a fixed grid of timesteps and noise, before and after."""

    steps: int
    trained_before: float
    trained_after: float
    others_before: float
    others_after: float
    losses: tuple[float, ...]
    finite: bool


def run(context: Context) -> LearningSeen:
    """Train on all but two pictures and measure both parts."""
    pipeline = context.workshop.real()
    dataset: Any = context.hooks.call(
        "make_dataset", data_dir=context.data_dir, resolution=SIDE, config=DatasetConfig()
    )
    with context.hooks.blaming("make_dataset"):
        items = [dataset[i] for i in range(len(dataset))]
    kept, others = items[:-2], items[-2:]
    adapter = attach(context, pipeline)
    before = measure(pipeline, kept), measure(pipeline, others)
    config = context.train_config(steps=STEPS, batch_size=BATCH_SIZE)
    losses = train(context, pipeline, Part(kept), adapter, config, Recorder())
    for model in (pipeline.unet, pipeline.text_encoder, adapter):
        model.eval()
    after = measure(pipeline, kept), measure(pipeline, others)
    return LearningSeen(
        steps=STEPS,
        trained_before=before[0],
        trained_after=after[0],
        others_before=before[1],
        others_after=after[1],
        losses=losses,
        finite=all(bool(p.isfinite().all()) for p in adapter.parameters()),
    )


@torch.no_grad()
def measure(pipeline: StableDiffusionPipeline, items: list[tuple[Tensor, str]]) -> float:
    """Return the mean squared error of the predicted noise over a fixed grid."""
    pixels = torch.stack([pixels for pixels, _ in items])  # (N, 3, H, W)
    latents = pipeline.vae.encode(pixels).latent_dist.mode() * pipeline.vae.config.scaling_factor
    ids = pipeline.tokenizer(
        [caption for _, caption in items],
        padding="max_length",
        truncation=True,
        return_tensors="pt",
    ).input_ids
    text = pipeline.text_encoder(ids)[0]  # (N, S, D)
    alphas = pipeline.scheduler.alphas_cumprod.float()
    generator = torch.Generator().manual_seed(77)
    errors = []
    for t in TIMESTEPS:
        noise = torch.randn(latents.shape, generator=generator)
        noisy = alphas[t].sqrt() * latents + (1 - alphas[t]).sqrt() * noise
        steps = torch.full((len(items),), t)
        predicted = pipeline.unet(noisy, steps, encoder_hidden_states=text, return_dict=False)[0]
        errors.append(float((predicted.float() - noise).pow(2).mean()))
    return sum(errors) / len(errors)
