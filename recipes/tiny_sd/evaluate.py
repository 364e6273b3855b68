"""Stage "evaluate": measure the shipped model; write ``evaluation.json`` and pictures."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline

from toolkit.base_models.load import load_pipeline

from .captions import caption
from .files import write_json
from .judge import Judge
from .measures import background_names, concept_ranks, nearest_styles
from .pictures import save_grid
from .progress import progress
from .reference import Reference
from .sampling import RECOMMENDED, UNTOLD, Setting, sample_pictures
from .speed import measure_speed
from .track_pictures import NAMES as TRACK_NAMES
from .track_pictures import track_pictures
from .vae import device_of_choice, psnr, reconstruct
from .vocabulary import BACKGROUNDS, STYLES

# In the order of the tables, which are sorted by name. At 7.5 stands what people who know Stable
# Diffusion do without thinking: its default, and the samplers they take for fewer steps.
SETTINGS: Final = (
    Setting(1.0, 30),
    Setting(3.0, 20, "DDIM"),
    RECOMMENDED,
    Setting(5.0, 30),
    Setting(7.5, 20, "DDIM"),
    Setting(7.5, 20, "DPM++ 2M"),
    Setting(7.5, 20, "Euler a"),
    Setting(7.5, 20, "UniPC"),
    UNTOLD,
)
SAMPLE_BATCH: Final = 50
# Settings other than the recommended one are measured with this share of the prompts.
COMPARED_SHARE: Final = 0.4
SHOWN: Final = 40
SHOWN_COLUMNS: Final = 10
SHOWN_PAIRS: Final = 48
SHOWN_TRACK: Final = 16  # pictures and their reconstructions, of each track


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
    pipeline: StableDiffusionPipeline, asked: list[Asked], setting: Setting
) -> torch.Tensor:
    """Sample every prompt once, (B, 3, 64, 64); the noise depends on the prompt's place only."""
    parts = []
    for start in progress(range(0, len(asked), SAMPLE_BATCH), str(setting)):
        prompts = [item.prompt for item in asked[start : start + SAMPLE_BATCH]]
        parts.append(
            sample_pictures(
                pipeline.vae,
                pipeline.unet,
                pipeline.text_encoder,
                pipeline.tokenizer,
                prompts,
                seed=start,
                setting=setting,
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


def embed_references(
    reference: Reference, judge: Judge, vae: AutoencoderKL | None = None
) -> dict[str, torch.Tensor]:
    """Embed the real drawings on every background.

    Args:
        reference: Real drawings.
        judge: Embeds pictures.
        vae: When given, the drawings go through it first.

    Returns:
        (concepts, styles, F) for each background.
    """
    shape = (len(reference.concepts), len(STYLES), -1)
    embedded = {}
    for colour in progress(list(BACKGROUNDS), "references"):
        drawings = reference.pixel_values(colour)  # (concepts * styles, 3, 64, 64)
        if vae is not None:
            drawings = reconstruct(vae, drawings.to(vae.device)).cpu()
        embedded[colour] = judge.embed(drawings).view(shape)
    return embedded


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


def measure_autoencoder(
    pipeline: StableDiffusionPipeline, reference: Reference, pictures: Path
) -> dict[str, Any]:
    """Reconstruct names that were never trained, and the tracks; writes ``autoencoder.png``."""
    reconstruction = reconstruct(pipeline.vae, reference.held_out.to(pipeline.device)).cpu()
    decibels = psnr(reference.held_out, reconstruction)  # (N,)
    pairs = torch.stack([reference.held_out, reconstruction], 1).flatten(0, 1)  # (2N, 3, 64, 64)
    save_grid(pairs[:SHOWN_PAIRS], pictures / "autoencoder.png", columns=12)
    tracks = measure_tracks(pipeline.vae, pictures)
    return {
        "tracks_psnr_db_mean": tracks,
        "held_out_pictures": len(decibels),
        "psnr_db_mean": float(decibels.mean()),
        "psnr_db_worst": float(decibels.min()),
    }


def measure_tracks(vae: AutoencoderKL, pictures: Path) -> dict[str, float]:
    """Reconstruct the tracks' pictures: what no fine-tuning can improve; writes ``tracks.png``."""
    means, shown = {}, []
    for name in TRACK_NAMES:
        pixel_values = track_pictures(name)  # (N, 3, H, W)
        reconstruction = reconstruct(vae, pixel_values.to(vae.device)).cpu()
        means[name] = float(psnr(pixel_values, reconstruction).mean())
        shown.append(torch.stack([pixel_values, reconstruction], 1).flatten(0, 1)[:SHOWN_TRACK])
    save_grid(torch.cat(shown), pictures / "tracks.png", columns=SHOWN_TRACK)
    return means


def compare_guidance(
    pipeline: StableDiffusionPipeline,
    asked: list[Asked],
    judge: Judge,
    references: dict[str, torch.Tensor],
    pictures: Path,
) -> tuple[dict[str, dict[str, float]], torch.Tensor]:
    """Measure all settings; the recommended one with all prompts, the others with 40 % of them.

    Writes ``guidance.png``: one row for each setting, the same prompts and noise.

    Args:
        pipeline: Model.
        asked: Prompts.
        judge: Embeds pictures.
        references: For each background, (concepts, styles, F) features of real drawings on it.
        pictures: Folder for the picture.

    Returns:
        Figures of each setting, and the pictures at the recommended one, (B, 3, 64, 64).
    """
    few = max(1, int(len(asked) * COMPARED_SHARE))
    measured, rows, recommended = {}, [], torch.empty(0)
    for setting in SETTINGS:
        best = setting == RECOMMENDED
        chosen = asked if best else asked[:few]
        sampled = sample_prompts(pipeline, chosen, setting)  # (B, 3, 64, 64)
        figures = judge_pictures(sampled, chosen, judge, references)
        measured[str(setting)] = {**figures, "prompts": len(chosen)}
        rows.append(sampled[: min(SHOWN_COLUMNS, few)])
        recommended = sampled if best else recommended
    save_grid(torch.cat(rows), pictures / "guidance.png", columns=len(rows[0]))
    return measured, recommended


def evaluate(folder: Path, reference: Reference, prompts: int) -> dict[str, Any]:
    """Measure the model in `folder`.

    Args:
        folder: diffusers layout; results are written into it.
        reference: Real drawings.
        prompts: How many prompts to sample at the recommended guidance scale.

    Returns:
        What is written to ``evaluation.json``.
    """
    device = device_of_choice()
    pipeline, judge = load_pipeline(folder).to(device), Judge(device)
    pictures, asked = folder / "pictures", evaluation_prompts(reference, prompts)
    references = embed_references(reference, judge)
    real = real_pictures(pipeline, reference, asked)  # (B, 3, 64, 64)
    guidance, sampled = compare_guidance(pipeline, asked, judge, references, pictures)
    save_grid(sampled[:SHOWN], pictures / "samples.png", columns=SHOWN_COLUMNS)
    blurred = embed_references(reference, judge, pipeline.vae)
    report = {
        "autoencoder": measure_autoencoder(pipeline, reference, pictures),
        "prompts": prompts,
        "candidates": len(reference.concepts),
        "recommended": {
            "setting": str(RECOMMENDED),
            "guidance_scale": RECOMMENDED.guidance_scale,
            "num_inference_steps": RECOMMENDED.steps,
        },
        "guidance": guidance,
        "against_decoded_drawings": judge_pictures(sampled, asked, judge, blurred),
        "chance": chance_levels(reference),
        "real_drawings": judge_pictures(real, asked, judge, references),
        "shown_prompts": [item.prompt for item in asked[:SHOWN]],
        "speed": measure_speed(folder),
    }
    write_json(folder / "evaluation.json", report)
    return report
