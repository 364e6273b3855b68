"""A random base with SD 1.4's module names, and what trainings of three kinds leave of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline

from harness.protocol.base_model import load_pipeline
from harness.worker.jobs import ADAPTER_FILE, DELTA_FILE
from harness.worker.save_adapter import save_adapter
from src.lora import make_lora
from tests.src.support import build_pipeline
from toolkit.core.settings import LoraConfig
from toolkit.deltas.file import PARTS, write_delta
from toolkit.deltas.probing import effective_delta


@dataclass(frozen=True)
class Trained:
    """A training on disk, and the model as it is inside the hub."""

    base: Path
    folder: Path
    pipeline: StableDiffusionPipeline

    @property
    def arguments(self) -> list[str]:
        """Return the options that name it."""
        return ["--run", str(self.folder), "--base", str(self.base)]


@pytest.fixture(scope="session")
def base(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "base"
    build_pipeline().save_pretrained(folder)
    return folder


def keep(base: Path, live: StableDiffusionPipeline, folder: Path) -> Trained:
    """Write the delta as a worker does."""
    clean = load_pipeline(base)
    deltas = {part: effective_delta(getattr(clean, part), getattr(live, part)) for part in PARTS}
    write_delta(folder / DELTA_FILE, deltas)
    return Trained(base, folder, live)


@pytest.fixture(scope="session")
def plain(base, tmp_path_factory) -> Trained:
    """The reference's LoRA on U-Net and text encoder, with random factors."""
    live = load_pipeline(base)
    config = LoraConfig(rank=3, alpha=6, train_text_encoder=True)
    adapter = make_lora(live, config)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in adapter.named_parameters():
            if name.endswith("lora_B"):
                parameter.normal_(std=0.2)
    folder = tmp_path_factory.mktemp("plain")
    whose = {"hub.origins": '{"make_lora": "DoRA"}', "hub.settings_from": '{"lora": "DoRA"}'}
    save_adapter(adapter, folder / ADAPTER_FILE, {"hub.name": "reference", **whose})
    return keep(base, live, folder)


def changed(base: Path, folder: Path, endings: tuple[str, ...]) -> Trained:
    """Change all parameters of the U-Net with these endings, at full rank."""
    live = load_pipeline(base)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in live.unet.named_parameters():
            if name.endswith(endings):
                parameter.add_(0.02 * torch.randn_like(parameter))
    return keep(base, live, folder)


@pytest.fixture(scope="session")
def full(base, tmp_path_factory) -> Trained:
    """Linear layers and 3x3 convolutions of full rank."""
    return changed(base, tmp_path_factory.mktemp("full"), ("to_q.weight", "conv1.weight"))


@pytest.fixture(scope="session")
def odd(base, tmp_path_factory) -> Trained:
    """Linear layers, and biases and norms that no LoRA holds."""
    return changed(base, tmp_path_factory.mktemp("odd"), ("to_q.weight", "norm1.weight", "1.bias"))
