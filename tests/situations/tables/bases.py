"""Bases: what is no Stable Diffusion 1.x is named before anything is loaded."""

from __future__ import annotations

import json
import struct

from tests.situations.situation import Situation, good

PART = "Bases"


def folder(pipeline: str, more: dict | None = None, **unet) -> dict[str, str]:
    """A base's folder of which there are only the configurations."""
    index = {"_class_name": pipeline, **(more or {})}
    config = {"in_channels": 4, "sample_size": 64, **unet}
    return {
        "base/model_index.json": json.dumps(index),
        "base/unet/config.json": json.dumps(config),
    }


def file(**shapes: tuple[int, ...]) -> dict[str, bytes]:
    """A checkpoint with these tensors, all zero."""
    entries, at = {}, 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        entries[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    header = json.dumps(entries).encode()
    return {"base.safetensors": struct.pack("<Q", len(header)) + header + bytes(at)}


def row(title, happens, files, says, code=1) -> Situation:
    base = "base" if "base/model_index.json" in files else "base.safetensors"
    typed = f"train Rank16 --data photos --dry-run --base {base}"
    return Situation(PART, title, happens, {**good(), **files}, typed, code, says)


def drawn(title, happens, files, says) -> Situation:
    base = "base" if "base/model_index.json" in files else "base.safetensors"
    return Situation(PART, title, happens, files, f"draw --prompt a --base {base}", 1, says)


SD = "StableDiffusionPipeline"
UNET = "model.diffusion_model."
OURS = "Give --base Stable Diffusion 1.x"

CASES = [
    row("SDXL as a folder", "refused: SDXL", folder("StableDiffusionXLPipeline"), ("SDXL", OURS)),
    row(
        "an inpainting model",
        "refused: inpainting, nine channels",
        folder("StableDiffusionInpaintPipeline", in_channels=9),
        ("Stable Diffusion for inpainting", OURS),
    ),
    row(
        "an inpainting model that calls itself Stable Diffusion",
        "refused: the channels tell",
        folder(SD, in_channels=9),
        ("Stable Diffusion for inpainting",),
    ),
    row(
        "InstructPix2Pix",
        "refused: InstructPix2Pix",
        folder("StableDiffusionInstructPix2PixPipeline", in_channels=8),
        ("InstructPix2Pix",),
    ),
    row(
        "the upscaler of Stable Diffusion 2",
        "refused: the upscaler",
        folder("StableDiffusionUpscalePipeline", in_channels=7),
        ("upscaler",),
    ),
    row("Stable unCLIP", "refused: unCLIP", folder("StableUnCLIPPipeline"), ("Stable unCLIP",)),
    row("Flux as a folder", "refused: a transformer", folder("FluxPipeline"), ("Flux",)),
    row(
        "Stable Diffusion 3 as a folder",
        "refused: a transformer",
        folder("StableDiffusion3Pipeline"),
        ("Stable Diffusion 3",),
    ),
    row(
        "a pipeline that the hub does not know, with a transformer",
        "refused: a transformer",
        folder("NewPipeline", {"transformer": ["diffusers", "NewTransformer"]}),
        ("NewPipeline: it is a transformer",),
    ),
    row(
        "a latent consistency model",
        "refused: it is distilled",
        folder(SD, time_cond_proj_dim=256),
        ("latent consistency",),
    ),
    row(
        "SDXL as a single file",
        "refused: SDXL",
        file(**{"conditioner.embedders.0.x": (1,), f"{UNET}x": (1,)}),
        ("SDXL",),
    ),
    row(
        "an inpainting checkpoint",
        "refused: inpainting",
        file(**{f"{UNET}input_blocks.0.0.weight": (4, 9, 3, 3)}),
        ("Stable Diffusion for inpainting",),
    ),
    row(
        "Flux as a single file",
        "refused: a transformer",
        file(**{"double_blocks.0.img_attn.qkv.weight": (1,)}),
        ("Flux",),
    ),
    row(
        "a LoRA where a base belongs",
        "refused: give it with --lora or --init",
        file(**{"lora_unet_x.lora_down.weight": (4, 4)}),
        ("a LoRA, not a base model", "--init"),
    ),
    row(
        "a ControlNet where a base belongs",
        "refused: a ControlNet",
        file(**{"control_model.x": (1,)}),
        ("a ControlNet",),
    ),
    row(
        "a Stable Diffusion 2.x checkpoint",
        "refused: its folder would work",
        file(**{"cond_stage_model.model.x": (1,), f"{UNET}x": (1,)}),
        ("Stable Diffusion 2.x", "diffusers folder"),
    ),
    row(
        "a damaged checkpoint",
        "refused: damaged",
        {"base.safetensors": b"no such file"},
        ("base.safetensors",),
    ),
    row("a base that is not there", "refused: what a base can be is said", {}, ("no base model",)),
    drawn(
        "drawing with an inpainting model",
        "refused before it is loaded",
        folder(SD, in_channels=9),
        ("Stable Diffusion for inpainting",),
    ),
    drawn(
        "drawing with Flux",
        "refused before it is loaded",
        folder("FluxPipeline"),
        ("Flux",),
    ),
]
