"""ComfyUI: ``comfy/lora.py`` and ``comfy/weight_adapter``."""

from __future__ import annotations

import importlib
import logging
import types
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

from tests.proofs.elsewhere.base import modules_of
from tests.proofs.elsewhere.programs import Program, importable, missing

from . import Consumer, Merge
from .webui import UNET_CONFIG, comfyui_key


def consumer(program: Program) -> Consumer:
    """Collect the patches of all files and compute each weight once, as its model patcher does."""
    stand_ins = ["comfy.model_base", *missing(["einops", "psutil"])]
    with importable([program.code], stand_ins):
        importlib.import_module("comfy.cli_args").args.cpu = True
        lora = importlib.import_module("comfy.lora")
        convert = importlib.import_module("comfy.lora_convert")
    logging.getLogger().setLevel(logging.ERROR)

    def consume(files: Sequence[Merge], pipeline: StableDiffusionPipeline) -> int:
        places = {comfyui_key(name): module for name, module in modules_of(pipeline).items()}
        model = types.SimpleNamespace(
            state_dict=lambda: places,
            model_config=types.SimpleNamespace(unet_config=UNET_CONFIG),
        )
        keys = lora.model_lora_keys_clip(model, lora.model_lora_keys_unet(model, {}))
        patches: dict[str, list[Any]] = {}
        used: list[set[str]] = []
        for file, strength in files:
            used.append(set())
            tensors = convert.convert_lora(load_file(file))
            for key, adapter in lora.load_lora(tensors, keys, log_missing=False).items():
                if key in places:
                    patches.setdefault(key, []).append((strength, adapter, 1.0, None, None))
                    used[-1] |= adapter.loaded_keys
        with torch.no_grad():
            for key, some in patches.items():
                weight = places[key].weight
                weight.copy_(lora.calculate_weight(some, weight.clone(), key))
        return len(used[0])

    return consume
