"""SD.Next: ``modules/lora``, its native way."""

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

from tests.proofs.elsewhere.programs import Program, alone, importable

from . import Consumer, Merge

# Of `modules` only what computes; the rest is web pages, models and settings.
NOT_USED = [
    "modules.shared", "modules.devices", "modules.errors", "modules.errorlimiter", "modules.logger",
    "modules.sd_models", "modules.sd_models_compile", "modules.files_cache", "modules.hashes",
    "modules.sd_checkpoint", "modules.lora.lora_diffusers", "modules.lora.lora_overrides",
    "installer",
]  # fmt: skip


def consumer(program: Program) -> Consumer:
    """Load all networks, then let it activate them."""
    with alone("modules", "installer"), importable([program.code], NOT_USED):
        load = importlib.import_module("modules.lora.lora_load")
        networks: Any = importlib.import_module("modules.lora.networks")
        common: Any = importlib.import_module("modules.lora.lora_common")
    shared, devices, models = networks.shared, networks.devices, load.sd_models
    devices.cpu = devices.device = torch.device("cpu")
    devices.inference_context = torch.no_grad
    shared.sd_loaded, shared.sd_model_type = True, "sd"
    shared.opts = types.SimpleNamespace(
        lora_fuse_native=False, lora_fuse_diffusers=False, lora_force_diffusers=False,
        diffusers_offload_mode="none", extra_networks_default_multiplier=1.0,
    )  # fmt: skip
    shared.state = types.SimpleNamespace(interrupted=False)
    models.read_state_dict = lambda filename, what="": load_file(filename)
    networks.limit_errors = lambda _: contextlib.nullcontext()
    networks.console = None
    networks.rp = types.SimpleNamespace(
        Progress=lambda *_, **__: _Silent(), TextColumn=_none, BarColumn=_none,
        TaskProgressColumn=_none, TimeRemainingColumn=_none, TimeElapsedColumn=_none,
    )  # fmt: skip
    faults: dict[str, int] = {}
    common.extra_network_lora = types.SimpleNamespace(errors=faults)

    def consume(files: Sequence[Merge], pipeline: StableDiffusionPipeline) -> int:
        model: Any = types.SimpleNamespace(unet=pipeline.unet, text_encoder=pipeline.text_encoder)
        shared.sd_model = model
        load.lora_cache.clear()
        common.loaded_networks.clear()
        faults.clear()
        for number, (file, strength) in enumerate(files):
            disk = types.SimpleNamespace(filename=str(file))
            with contextlib.redirect_stdout(io.StringIO()):
                net = load.load_safetensors(f"ours{number}", disk)
            if net is None:
                return 0  # as `network_load` does: not loaded, and the log says so
            net.te_multiplier, net.unet_multiplier = strength, [strength] * 3
            common.loaded_networks.append(net)
        networks.network_activate()
        if faults:
            raise ValueError(f"SD.Next counts faults: {faults}")
        first = common.loaded_networks[0]
        names = {one.network_key.partition(".")[0] for one in first.modules.values()}
        return sum(key.partition(".")[0] in names for key in load_file(files[0][0]))

    return consume


def _none(*_: object, **__: object) -> None:
    return None


class _Silent(contextlib.nullcontext[None]):
    """A bar of progress that shows nothing."""

    add_task = update = remove_task = staticmethod(_none)
