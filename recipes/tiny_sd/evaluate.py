"""Stage "evaluate": measure the shipped model; write ``evaluation.json`` and pictures."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import StableDiffusionPipeline

from .captions import caption
from .files import write_json
from .judge import Judge
from .measures import background_names, concept_ranks, nearest_styles
from .pictures import save_grid
from .progress import progress
from .reference import Reference
from .sampling import GUIDANCE_SCALE, INFERENCE_STEPS, sample_pictures
from .speed import measure_speed
from .vae import device_of_choice, psnr, reconstruct
from .vocabulary import BACKGROUNDS, STYLES

SCALES: Final = (1.0, 3.0, 5.0, 7.5)
SAMPLE_BATCH: Final = 50
SHOWN: Final = 40


@dataclass(frozen=True)
class Asked:
    """One prompt of the evaluation."""

    concept: int
    style: int
    background: str
    prompt: str


def evaluation_prompts(reference: Reference, count: int) -> list[Asked]:
    """Write the prompts: every concept equally often, styles and backgrounds in turn."""
    rng = random.Random("evaluation")
    styles, colours = list(STYLES), list(BACKGROUNDS)
    asked = []
    for place in range(count):
        concept = place % len(reference.concepts)
        if concept == 0:
            rng.shuffle(colours)
        style = (place + place // len(reference.concepts)) % len(styles)
        colour = colours[place % len(colours)]
        prompt = caption(reference.concepts[concept], colour, styles[style])
        asked.append(Asked(concept, style, colour, prompt))
    return asked


def sample_prompts(
    pipeline: StableDiffusionPipeline, asked: list[Asked], guidance_scale: float
) -> torch.Tensor:
    """Sample every prompt once, (B, 3, 64, 64); the noise depends on the prompt's place only."""
    parts = []
    for start in progress(range(0, len(asked), SAMPLE_BATCH), f"guidance {guidance_scale}"):
        prompts = [item.prompt for item in asked[start : start + SAMPLE_BATCH]]
        parts.append(
            sample_pictures(
                pipeline.vae,
                pipeline.unet,
                pipeline.text_encoder,
                pipeline.tokenizer,
                prompts,
                seed=start,
                guidance_scale=guidance_scale,
            )
        )
    return torch.cat(parts)


def judge_pictures(
    pictures: torch.Tensor, asked: list[Asked], judge: Judge, references: dict[str, torch.Tensor]
) -> dict[str, float]:
    """Measure pictures against what was asked.

    Args:
        pictures: (B, 3, 64, 64) in [-1, 1].
        asked: B prompts.
        judge: Embeds pictures.
        references: For each background, (concepts, styles, F) features of real drawings on it.

    Returns:
        Shares between 0 and 1.
    """
    features = judge.embed(pictures)  # (B, F)
    ranks, styles = [], []
    for item, feature in zip(asked, features, strict=True):
        wanted = torch.tensor([item.concept])
        ranks.append(int(concept_ranks(feature[None], references[item.background], wanted)))
        styles.append(int(nearest_styles(feature[None], references[item.background], wanted)))
    named = background_names(pictures)
    total = len(asked)
    return {
        "background": sum(name == item.background for name, item in zip(named, asked, strict=True))
        / total,
        "concept_top1": sum(rank < 1 for rank in ranks) / total,
        "concept_top5": sum(rank < 5 for rank in ranks) / total,
        "style": sum(found == item.style for found, item in zip(styles, asked, strict=True))
        / total,
    }


def embed_references(reference: Reference, judge: Judge) -> dict[str, torch.Tensor]:
    """Embed the real drawings on every background, (concepts, styles, F) each."""
    shape = (len(reference.concepts), len(STYLES), -1)
    return {
        colour: judge.embed(reference.pixel_values(colour)).view(shape)
        for colour in progress(list(BACKGROUNDS), "references")
    }


def real_pictures(
    pipeline: StableDiffusionPipeline, reference: Reference, asked: list[Asked]
) -> torch.Tensor:
    """Show real drawings through the autoencoder: the best any U-Net could do."""
    drawn = {colour: reference.pixel_values(colour) for colour in BACKGROUNDS}
    rows = [drawn[item.background][item.concept * len(STYLES) + item.style] for item in asked]
    return reconstruct(pipeline.vae, torch.stack(rows).to(pipeline.device)).cpu()


def chance_levels(reference: Reference) -> dict[str, float]:
    """Return what a picture of anything would reach."""
    concepts = len(reference.concepts)
    return {
        "background": 1 / len(BACKGROUNDS),
        "concept_top1": 1 / concepts,
        "concept_top5": min(1.0, 5 / concepts),
        "style": 1 / len(STYLES),
    }


def load_pipeline(folder: Path) -> StableDiffusionPipeline:
    """Load the shipped model in float32."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device_of_choice())


def evaluate(folder: Path, reference: Reference, prompts: int) -> dict[str, Any]:
    """Measure the model in `folder`.

    Args:
        folder: diffusers layout; results are written into it.
        reference: Real drawings.
        prompts: How many prompts to sample for each guidance scale.

    Returns:
        What is written to ``evaluation.json``.
    """
    pipeline = load_pipeline(folder)
    reconstruction = reconstruct(pipeline.vae, reference.held_out.to(pipeline.device)).cpu()
    decibels = psnr(reference.held_out, reconstruction)  # (N,)
    pairs = torch.stack([reference.held_out, reconstruction], 1).flatten(0, 1)  # (2N, 3, 64, 64)
    save_grid(pairs[:48], folder / "pictures" / "autoencoder.png", columns=12)

    judge = Judge(pipeline.device)
    references = embed_references(reference, judge)
    asked = evaluation_prompts(reference, prompts)
    guidance = {}
    for scale in SCALES:
        pictures = sample_prompts(pipeline, asked, scale)
        guidance[str(scale)] = judge_pictures(pictures, asked, judge, references)
        name = "samples.png" if scale == GUIDANCE_SCALE else f"guidance-{scale:g}.png"
        shown = SHOWN if scale == GUIDANCE_SCALE else SHOWN // 4
        save_grid(pictures[:shown], folder / "pictures" / name, columns=10)
    report = {
        "autoencoder": {
            "held_out_pictures": len(decibels),
            "psnr_db_mean": float(decibels.mean()),
            "psnr_db_worst": float(decibels.min()),
        },
        "prompts": prompts,
        "candidates": len(reference.concepts),
        "recommended": {"guidance_scale": GUIDANCE_SCALE, "num_inference_steps": INFERENCE_STEPS},
        "guidance": guidance,
        "chance": chance_levels(reference),
        "real_drawings": judge_pictures(
            real_pictures(pipeline, reference, asked), asked, judge, references
        ),
        "shown_prompts": [item.prompt for item in asked[:SHOWN]],
        "speed": measure_speed(folder),
    }
    write_json(folder / "evaluation.json", report)
    return report
