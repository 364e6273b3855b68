"""AUTOMATIC1111's web UI: ``extensions-builtin/Lora``."""

from __future__ import annotations

import importlib
import types
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

from tests.proofs.elsewhere.base import modules_of
from tests.proofs.elsewhere.programs import Program, alone, importable, missing

from . import Consumer, Merge
from .webui import a1111_name


def consumer(program: Program) -> Consumer:
    """Load all networks, then let it compute each layer's weight."""
    folder = program.code / "extensions-builtin" / "Lora"
    stand_ins = ["modules", "gradio", "lora_patches", *missing(["einops"])]
    with alone("networks", "network", "modules"), importable([folder], stand_ins):
        networks = importlib.import_module("networks")
        modules: Any = importlib.import_module("modules")
    modules.devices.cpu, modules.devices.dtype = torch.device("cpu"), torch.float32
    networks.sd_models.read_state_dict = load_file
    networks.shared.sd_model = types.SimpleNamespace()
    networks.shared.opts = types.SimpleNamespace(lora_functional=False)
    faults: dict[str, int] = {}
    vars(networks)["extra_network_lora"] = types.SimpleNamespace(errors=faults)

    def consume(files: Sequence[Merge], pipeline: StableDiffusionPipeline) -> int:
        layers = {a1111_name(name): module for name, module in modules_of(pipeline).items()}
        networks.shared.sd_model.network_layer_mapping = layers
        networks.loaded_networks.clear()
        for number, (file, strength) in enumerate(files):
            disk = types.SimpleNamespace(filename=str(file))
            net = networks.load_network(f"ours{number}", disk)
            net.te_multiplier = net.unet_multiplier = strength
            networks.loaded_networks.append(net)
        faults.clear()
        with torch.no_grad():
            for name, module in layers.items():
                # A layer that no network names keeps its weight; backing it up would copy it.
                if any(name in net.modules for net in networks.loaded_networks):
                    module.network_layer_name = name
                    networks.network_apply_weights(module)
        if faults:
            raise ValueError(f"A1111 counts faults: {faults}")
        first = networks.loaded_networks[0]
        names = {one.network_key.partition(".")[0] for one in first.modules.values()}
        return sum(key.partition(".")[0] in names for key in load_file(files[0][0]))

    return consume
