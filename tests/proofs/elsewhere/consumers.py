"""What a program makes of a file: each layer's weight with the file merged in.

Every function takes a file, a pipeline (changed in place) and a strength, and returns the number of
the file's tensors that the program used.
"""

from __future__ import annotations

import importlib
import logging
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import StableDiffusionPipeline
from peft import PeftModel
from safetensors.torch import load_file
from torch import Tensor

from toolkit.lora_files.layout import TEXT_ENCODER, UNET
from toolkit.lora_files.ldm import ldm_name

from .base import modules_of, text_encoder_of
from .programs import Program, importable, missing

# Relative: float32 sums in another order stay near 1e-6.
TOLERANCE: Final = 1e-5

Consumer = Callable[[Path, StableDiffusionPipeline, float], int]


def kohya(program: Program) -> Consumer:
    """Merge as kohya's sd-scripts do, with ``networks/lora.py``."""
    absent = missing(["torchvision", "cv2", "einops"])
    with importable([program.code], absent):
        lora = importlib.import_module("networks.lora")
    logging.getLogger(lora.__name__).setLevel(logging.ERROR)

    def consume(file: Path, pipeline: StableDiffusionPipeline, strength: float) -> int:
        network, tensors = lora.create_network_from_weights(
            strength, str(file), None, text_encoder_of(pipeline), pipeline.unet, for_inference=True
        )
        names = {one.lora_name for one in network.text_encoder_loras + network.unet_loras}
        network.merge_to(
            text_encoder_of(pipeline), pipeline.unet, tensors, torch.float32, torch.device("cpu")
        )
        return sum(key.partition(".")[0] in names for key in tensors)

    return consume


def lycoris(program: Program) -> Consumer:
    """Merge as LyCORIS does for kohya's trainer, with ``lycoris/kohya.py``."""
    with importable([program.code], missing(["einops", "toml"])):
        module = importlib.import_module("lycoris.kohya")
    logging.getLogger("LyCORIS").setLevel(logging.ERROR)

    def consume(file: Path, pipeline: StableDiffusionPipeline, strength: float) -> int:
        encoder = text_encoder_of(pipeline)
        # Its first preset, `full`, finds two layers of SD 1.x twice and stops (4.1.3).
        module.LycorisNetworkKohya.apply_preset(module.PRESET["attn-mlp"])
        network, tensors = module.create_network_from_weights(
            strength, str(file), None, encoder, pipeline.unet, for_inference=True
        )
        found = network.text_encoder_loras + network.unet_loras
        # Not network.merge_to, which merges at strength 1 whatever was asked for (4.1.3).
        for one in found:
            one.merge_to(strength)
        names = {one.lora_name for one in found}
        return sum(key.partition(".")[0] in names for key in tensors)

    return consume


# ComfyUI's own configuration of SD 1.x, as far as its names go.
COMFYUI_UNET: Final = {
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 2, 4, 4],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "transformer_depth_middle": 1,
}


def comfyui(program: Program) -> Consumer:
    """Merge as ComfyUI does, with ``comfy/lora.py`` and ``comfy/weight_adapter``."""
    stand_ins = ["comfy.model_base", *missing(["einops", "psutil"])]
    with importable([program.code], stand_ins):
        importlib.import_module("comfy.cli_args").args.cpu = True
        lora = importlib.import_module("comfy.lora")
        convert = importlib.import_module("comfy.lora_convert")
    logging.getLogger().setLevel(logging.ERROR)

    def consume(file: Path, pipeline: StableDiffusionPipeline, strength: float) -> int:
        places = {comfyui_key(name): module for name, module in modules_of(pipeline).items()}
        model = types.SimpleNamespace(
            state_dict=lambda: places,
            model_config=types.SimpleNamespace(unet_config=COMFYUI_UNET),
        )
        keys = lora.model_lora_keys_clip(model, lora.model_lora_keys_unet(model, {}))
        tensors = convert.convert_lora(load_file(file))
        used: set[str] = set()
        for key, adapter in lora.load_lora(tensors, keys, log_missing=False).items():
            if key not in places:
                continue
            weight = places[key].weight
            patches = [(strength, adapter, 1.0, None, None)]
            with torch.no_grad():
                weight.copy_(lora.calculate_weight(patches, weight.clone(), key))
            used |= adapter.loaded_keys
        return len(used)

    return consume


def comfyui_key(name: str) -> str:
    """Return the name of a layer's weight inside ComfyUI."""
    part, _, path = name.partition(".")
    if part == UNET:
        return f"diffusion_model.{ldm_name(path)}.weight"
    return f"clip_l.transformer.{path}.weight"


def a1111(program: Program) -> Consumer:
    """Merge as AUTOMATIC1111's web UI does, with ``extensions-builtin/Lora``."""
    folder = program.code / "extensions-builtin" / "Lora"
    stand_ins = ["modules", "gradio", "lora_patches", *missing(["einops"])]
    # kohya's folder of the same name may be there already, and must be again.
    others = {n: sys.modules.pop(n) for n in list(sys.modules) if n.partition(".")[0] == "networks"}
    with importable([folder], stand_ins):
        networks = importlib.import_module("networks")
        modules: Any = importlib.import_module("modules")
    for name in [n for n in sys.modules if n.partition(".")[0] in ("networks", "modules")]:
        del sys.modules[name]
    sys.modules.update(others)
    modules.devices.cpu, modules.devices.dtype = torch.device("cpu"), torch.float32
    networks.sd_models.read_state_dict = load_file
    networks.shared.sd_model = types.SimpleNamespace()
    networks.shared.opts = types.SimpleNamespace(lora_functional=False)
    faults: dict[str, int] = {}
    vars(networks)["extra_network_lora"] = types.SimpleNamespace(errors=faults)

    def consume(file: Path, pipeline: StableDiffusionPipeline, strength: float) -> int:
        layers = {a1111_name(name): module for name, module in modules_of(pipeline).items()}
        networks.shared.sd_model.network_layer_mapping = layers
        disk = types.SimpleNamespace(filename=str(file))
        net = networks.load_network("ours", disk)
        net.te_multiplier = net.unet_multiplier = strength
        networks.loaded_networks[:] = [net]
        faults.clear()
        with torch.no_grad():
            for name, module in layers.items():
                module.network_layer_name = name
                networks.network_apply_weights(module)
        if faults:
            raise ValueError(f"A1111 counts faults: {faults}")
        names = {one.network_key.partition(".")[0] for one in net.modules.values()}
        return sum(key.partition(".")[0] in names for key in load_file(file))

    return consume


def a1111_name(name: str) -> str:
    """Return A1111's name of a layer of an SD 1.x model."""
    part, _, path = name.partition(".")
    where = f"diffusion_model.{ldm_name(path)}" if part == UNET else f"transformer.{path}"
    return where.replace(".", "_")


def in_diffusers(file: Path, pipeline: StableDiffusionPipeline, strength: float) -> int:
    """Merge with diffusers: load, then fuse at a strength."""
    pipeline.load_lora_weights(file.parent, weight_name=file.name)
    used = 2 * sum(
        hasattr(module, "lora_A") and bool(module.lora_A)
        for part in (pipeline.unet, pipeline.text_encoder)
        for module in part.modules()
    )
    parts = [p for p in (UNET, TEXT_ENCODER) if getattr(getattr(pipeline, p), "peft_config", None)]
    pipeline.fuse_lora(components=parts, lora_scale=strength)
    pipeline.unload_lora_weights()
    stated = sum(key.endswith(".alpha") for key in load_file(file))
    return used + stated


def in_peft(folder: Path, pipeline: StableDiffusionPipeline, strength: float) -> int:
    """Merge a folder of PEFT's with PEFT."""
    used = 0
    for part in (UNET, TEXT_ENCODER):
        if not (folder / part).is_dir():
            continue
        model = PeftModel.from_pretrained(getattr(pipeline, part), folder / part)
        for module in model.modules():
            if hasattr(module, "set_scale") and hasattr(module, "lora_A"):
                module.set_scale("default", strength)
                used += 2
        setattr(pipeline, part, model.merge_and_unload())
    return used


def tensors_in(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a file, or of all files in a folder."""
    files = sorted(file.rglob("*.safetensors")) if file.is_dir() else [file]
    return {f"{one.parent.name}/{key}": t for one in files for key, t in load_file(one).items()}
