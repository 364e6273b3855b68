"""Fixtures: a random, seeded pipeline, pictures on disk, settings."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image, ImageDraw
from transformers.utils import logging

from tests.src.support import (
    CAPTIONS,
    COLOURS,
    IMPLEMENTATIONS,
    TEXT_WIDTH,
    Steps,
    build_pipeline,
    copy_pipeline,
)
from toolkit.core.settings import LoraConfig, TrainConfig

logging.set_verbosity_error()


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    # Layers this small only wait for each other on more threads; and one thread is reproducible.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def _pristine() -> StableDiffusionPipeline:
    return build_pipeline()


@pytest.fixture
def pipeline(_pristine: StableDiffusionPipeline) -> StableDiffusionPipeline:
    """A base of one's own."""
    return copy_pipeline(_pristine)


@pytest.fixture
def other_pipeline(_pristine: StableDiffusionPipeline) -> StableDiffusionPipeline:
    """The same base once more."""
    return copy_pipeline(_pristine)


@pytest.fixture(params=IMPLEMENTATIONS)
def main(request: pytest.FixtureRequest) -> ModuleType:
    """The main module of each implementation, which holds the four hooks."""
    return importlib.import_module(f"{request.param}.main")


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures, of which colour and caption belong together."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "Images").mkdir()
    (folder / "ImageCaptions").mkdir()
    for i, (caption, colour) in enumerate(zip(CAPTIONS, COLOURS, strict=True)):
        picture = Image.new("RGB", (80, 64), "white")
        ImageDraw.Draw(picture).ellipse((20, 12, 60, 52), fill=colour)
        picture.save(folder / "Images" / f"picture{i}.png")
        (folder / "ImageCaptions" / f"picture{i}.txt").write_text(caption, encoding="utf-8")
    return folder


@pytest.fixture
def reporter() -> Steps:
    return Steps()


@pytest.fixture
def lora_config() -> LoraConfig:
    return LoraConfig(rank=4)


@pytest.fixture
def train_config() -> TrainConfig:
    return TrainConfig(steps=3, batch_size=2, seed=5, learning_rate=1e-3)


@pytest.fixture
def unet_inputs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        "sample": torch.randn((2, 4, 8, 8), generator=generator),
        "timestep": torch.tensor([10, 700]),
        "encoder_hidden_states": torch.randn((2, 24, TEXT_WIDTH), generator=generator),
    }
