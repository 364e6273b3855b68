"""Forge: ``extensions-builtin/sd_forge_lora`` and ``backend/patcher/lora.py``."""

from __future__ import annotations

import contextlib
import importlib
import io
import types
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

from tests.proofs.elsewhere.base import modules_of
from tests.proofs.elsewhere.programs import Program, alone, importable, missing

from . import Consumer, Merge
from .webui import UNET_CONFIG, comfyui_key

NOT_USED = ["gradio", "modules", "backend.operations", "backend.misc", "backend.stream", "gguf"]
OWN = ("networks", "network", "modules", "backend", "packages_3rdparty", "gguf")


class Patched:
    """What its model patcher is to the loader: names, and a list of patches for each."""

    def __init__(self, model: Any, patches: dict[str, list[Any]] | None = None) -> None:
        self.model = self.cond_stage_model = model
        self.patches = patches if patches is not None else {}

    def clone(self) -> Patched:
        """Return one with the same patches so far."""
        return Patched(self.model, {key: list(some) for key, some in self.patches.items()})

    def add_patches(
        self, *, filename: str, patches: dict[str, Any], strength_patch: float, online_mode: bool
    ) -> list[str]:
        """Take the patches of layers that exist; return which."""
        known = [key for key in patches if key in self.model.state_dict()]
        for key in known:
            patch = (strength_patch, patches[key], 1.0, None, None)
            self.patches.setdefault(key, []).append(patch)
        return known


def consumer(program: Program) -> Consumer:
    """Let its loader choose the patches, and its merger compute the weights."""
    places = [program.code, program.code / "extensions-builtin" / "sd_forge_lora"]
    with alone(*OWN), importable(places, [*NOT_USED, "backend.utils", "backend.memory_management",
                                          "backend.args", *missing(["einops"])]):  # fmt: skip
        networks = importlib.import_module("networks")
        patcher = importlib.import_module("backend.patcher.lora")
    patcher.memory_management.cast_to_device = lambda tensor, device, dtype, *_: tensor.to(
        device, dtype
    )

    def consume(files: Sequence[Merge], pipeline: StableDiffusionPipeline) -> int:
        layers = {comfyui_key(name): module for name, module in modules_of(pipeline).items()}

        def model(prefix: str) -> Patched:
            found = {key: one for key, one in layers.items() if key.startswith(prefix)}
            config = types.SimpleNamespace(huggingface_repo="runwayml/stable-diffusion-v1-5")
            unet = types.SimpleNamespace(config=UNET_CONFIG)
            return Patched(types.SimpleNamespace(
                state_dict=lambda: found, config=config, diffusion_model=unet))  # fmt: skip

        unet, clip, used = model("diffusion_model."), model("clip_l."), 0
        for number, (file, strength) in enumerate(files):
            before = sum(map(len, (*unet.patches.values(), *clip.patches.values())))
            tensors = load_file(file)
            with contextlib.redirect_stdout(io.StringIO()):
                unet, clip = networks.load_lora_for_models(
                    unet, clip, tensors, strength, strength, filename=file.name
                )
            if number == 0:
                after = sum(map(len, (*unet.patches.values(), *clip.patches.values())))
                alphas = any(key.endswith(".alpha") for key in tensors)
                used = (after - before) * (3 if alphas else 2)
        with torch.no_grad():
            for key, patches in (*unet.patches.items(), *clip.patches.items()):
                weight = layers[key].weight
                weight.copy_(patcher.merge_lora_to_weight(patches, weight, key))
        return used

    return consume
