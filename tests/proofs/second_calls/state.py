"""A pipeline with an adapter, what can be seen of it, and the same as a fresh start has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from src.lora import make_lora
from tests.proofs.elsewhere.consumed import every_layer
from tests.src.support import build_pipeline, copy_pipeline
from toolkit.core.settings import LoraConfig
from toolkit.lora_files.memory import Lora
from toolkit.lora_files.write import write_lora

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

MODELS = ("unet", "text_encoder", "vae")
CAPTIONS = ("a red circle", "a dog, in a park")
CONFIG = LoraConfig(rank=2, train_text_encoder=True)
FILES = ("one", "other")


class Pictures(Dataset[tuple[Tensor, str]]):
    """Two pictures of noise, or of nothing at all."""

    def __init__(self, *, broken: bool = False) -> None:
        generator = torch.Generator().manual_seed(2)
        self.pixel_values = torch.rand((2, 3, 64, 64), generator=generator) * 2 - 1
        if broken:
            self.pixel_values[1] = torch.nan

    def __len__(self) -> int:
        """Return how many there are."""
        return len(CAPTIONS)

    def __getitem__(self, idx: int) -> tuple[Tensor, str]:
        """Return (3, 64, 64) in [-1, 1], and a caption."""
        return self.pixel_values[idx], CAPTIONS[idx]


@dataclass
class State:
    """A live pipeline with its adapter, and LoRA files that can be added to it."""

    pipeline: StableDiffusionPipeline
    adapter: nn.Module
    folder: Path

    @classmethod
    def start(cls, pristine: StableDiffusionPipeline, folder: Path) -> State:
        """Return a fresh copy of a base with an adapter that already does something."""
        pipeline = copy_pipeline(pristine)
        torch.manual_seed(3)
        adapter = make_lora(pipeline, CONFIG)
        with torch.no_grad():
            for parameter in adapter.parameters():
                parameter.add_(torch.randn(parameter.shape) * 0.05)
        # A new adapter trains, like every new module of torch; a training leaves it in this mode.
        return cls(pipeline, adapter.eval(), folder)

    def weights(self) -> dict[str, Tensor]:
        """Return all weights, the adapter's with them, as they are now."""
        return {
            f"{name}.{key}": value.clone()
            for name in MODELS
            for key, value in getattr(self.pipeline, name).state_dict().items()
        }

    def again(self, pristine: StableDiffusionPipeline) -> State:
        """Return a fresh start with the weights of now."""
        fresh = State.start(pristine, self.folder)
        now = self.weights()
        for name in MODELS:
            own = {k.removeprefix(f"{name}."): v for k, v in now.items() if k.startswith(name)}
            getattr(fresh.pipeline, name).load_state_dict(own)
        return fresh


def seen(state: State) -> dict[str, Any]:
    """Return everything but weights that an operation may leave behind.

    Gradients do not count: every step begins by clearing them.
    """
    pipeline = state.pipeline
    left: dict[str, Any] = {
        "scheduler": (type(pipeline.scheduler).__name__, dict(pipeline.scheduler.config)),
        "progress bar": getattr(pipeline, "_progress_bar_config", {}) or {},
        "gradients are recorded": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "default dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "device": str(pipeline.device),
    }
    for name in MODELS:
        for path, module in getattr(pipeline, name).named_modules():
            left[f"{name}.{path}"] = {
                "class": type(module).__name__,
                "training": module.training,
                "hooks": (len(module._forward_hooks), len(module._forward_pre_hooks)),
                "replaced": sorted(key for key in vars(module) if key == "forward"),
                "strength": getattr(module, "lora_scale", None),
                "checkpointing": getattr(module, "gradient_checkpointing", None),
                "processor": type(getattr(module, "processor", None)).__name__,
                "parameters": {
                    key: (str(value.dtype), value.requires_grad)
                    for key, value in module.named_parameters(recurse=False)
                },
            }
    return left


def differences(found: Any, wanted: Any, where: str = "") -> list[str]:
    """Name every place where two nests of dictionaries, sequences and tensors differ in a bit."""
    if isinstance(found, Tensor) and isinstance(wanted, Tensor):
        same = found.dtype == wanted.dtype and torch.equal(found, wanted)
        return [] if same else [f"{where}: other numbers"]
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted(found.keys() | wanted.keys(), key=str)
        return [
            one
            for key in keys
            for one in differences(found.get(key), wanted.get(key), f"{where}/{key}")
        ]
    if isinstance(found, Sequence) and not isinstance(found, str) and len(found) == len(wanted):
        return [
            one
            for place, pair in enumerate(zip(found, wanted, strict=True))
            for one in differences(*pair, f"{where}/{place}")
        ]
    return [] if found == wanted else [f"{where}: {found!r} instead of {wanted!r}"]


def prepared(folder: Path) -> StableDiffusionPipeline:
    """Return a base, and write two LoRA files for it into `folder`."""
    torch.set_num_threads(1)
    pristine = build_pipeline()
    layers = every_layer(pristine).layers
    for number, file in enumerate(FILES):  # overlapping, and neither on every layer
        chosen = {name: layer for i, (name, layer) in enumerate(layers.items()) if i % 3 != number}
        write_lora(Lora(chosen), folder / f"{file}.safetensors", dtype="fp32")
    return pristine
