"""InvokeAI: its probe, its conversion to a model patch and its layer patcher."""

from __future__ import annotations

import importlib
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from safetensors import safe_open
from safetensors.torch import load_file

from tests.proofs.elsewhere.base import text_encoder_of
from tests.proofs.elsewhere.programs import Program, importable, missing
from toolkit.lora_files.layout import TEXT_ENCODER, UNET

from . import Consumer, Merge, RefusedError

INVOKE, MANAGER = "invokeai.backend", "invokeai.backend.model_manager"
# What its patches and its probe of LoRAs import and never call for SD 1.x.
NOT_USED = [
    "invokeai.app", f"{INVOKE}.util.devices", f"{INVOKE}.util.logging", f"{INVOKE}.util.util",
    f"{INVOKE}.model_hash", f"{INVOKE}.stable_diffusion", f"{INVOKE}.quantization",
    f"{INVOKE}.spandrel_image_to_image_model", f"{MANAGER}.load", f"{MANAGER}.configs.main",
    f"{MANAGER}.omi",
]  # fmt: skip
NOT_INSTALLED = ["bitsandbytes", "picklescan", "gguf", "onnxruntime", "einops", "torchvision"]
PREFIXES = {UNET: "lora_unet_", TEXT_ENCODER: "lora_te_"}


def consumer(program: Program) -> Consumer:
    """Ask the probe first: a file that it does not know is never loaded."""
    stand_ins = [*NOT_USED, *missing(NOT_INSTALLED)]
    with importable([program.code], stand_ins):
        kind = importlib.import_module(f"{MANAGER}.configs.lora").LoRA_LyCORIS_SD1_Config
        base = importlib.import_module(f"{MANAGER}.configs.identification_utils")
        names = importlib.import_module(f"{INVOKE}.patches.lora_conversions.peft_adapter_utils")
        convert = importlib.import_module(
            f"{INVOKE}.patches.lora_conversions.sd_lora_conversion_utils"
        )
        module = importlib.import_module(f"{INVOKE}.patches.layer_patcher")
        weights = importlib.import_module(f"{INVOKE}.util.original_weights_storage")
    weights.TorchDevice.CPU_DEVICE = module.TorchDevice.CPU_DEVICE = torch.device("cpu")

    def loaded(file: Path) -> Any:
        tensors = load_file(file)
        with safe_open(file, "pt") as opened:
            header = opened.metadata()
        disk = types.SimpleNamespace(load_state_dict=lambda: tensors, metadata=lambda: header)
        with importable([program.code], stand_ins):  # they import more when they are called
            try:
                kind._validate_looks_like_lora(disk)
                kind._validate_base(disk)
            except base.NotAMatchError as error:
                raise RefusedError(f"not a LoRA of SD 1.x: {error}") from error
        # As its LoRALoader does for SD 1.x.
        return convert.lora_model_from_sd_state_dict(names.normalize_peft_adapter_names(tensors))

    def consume(files: Sequence[Merge], pipeline: StableDiffusionPipeline) -> int:
        patches = [(loaded(file), strength) for file, strength in files]
        used = 0
        for part, prefix in PREFIXES.items():
            model = pipeline.unet if part == UNET else text_encoder_of(pipeline)
            storage = weights.OriginalWeightsStorage()
            for number, (patch, strength) in enumerate(patches):
                # The step of apply_smart_model_patches that adds to the weights, as on a GPU.
                module.LayerPatcher.apply_smart_model_patch(
                    model=model, prefix=prefix, patch=patch, patch_weight=strength,
                    original_weights=storage, original_modules={}, dtype=torch.float32,
                    force_direct_patching=True, force_sidecar_patching=False,
                )  # fmt: skip
                if number == 0:
                    touched = {key.removesuffix(".weight") for key in storage._changed_weights}
                    flat = {prefix + name.replace(".", "_") for name in touched}
                    used += sum(key.partition(".")[0] in flat for key in load_file(files[0][0]))
        return used

    return consume
