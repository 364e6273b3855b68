"""From somebody's folder to losses: the reference's hooks with buckets, mirrors and caches."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from src.dataset import make_dataset
from src.lora import make_lora
from src.main import main
from src.train import train
from tests.src.support import copy_pipeline
from toolkit.core.settings import DatasetConfig, LoraConfig, TrainConfig

CONFIG = DatasetConfig(
    repeats=2, flip=True, shuffle_captions=True, trigger_word="sks", buckets=True, seed=1
)


class KeepingReporter:
    """A reporter that names a folder for caches, and has nothing to resume."""

    def __init__(self, cache_dir: Path | None) -> None:
        self.cache_dir = cache_dir

    def step(self, step, loss):
        pass

    def resume(self):
        return None

    def checkpoint(self, step, make_state):
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Flat, captions beside the pictures, all shapes."""
    folder = tmp_path_factory.mktemp("photos")
    for i, size in enumerate([(90, 60), (60, 90), (64, 64), (130, 60), (95, 64), (50, 100)]):
        image = Image.new("RGB", size, (40 * i, 90, 200 - 30 * i))
        ImageDraw.Draw(image).ellipse((10, 10, 50, 50), fill=(250, 40 * i, 0))
        image.save(folder / f"photo {i}.jpg")
        (folder / f"photo {i}.txt").write_text(f"a disc, shape {i}, plain")
    return folder


def losses(pipeline, folder, cache_dir):
    own = copy_pipeline(pipeline)
    torch.manual_seed(0)
    dataset = make_dataset(folder, 64, CONFIG)
    adapter = make_lora(own, LoraConfig(rank=2))
    config = TrainConfig(steps=4, batch_size=2, seed=1)
    return train(own, dataset, adapter, config, KeepingReporter(cache_dir)).losses


def test_a_cache_changes_nothing_about_training(pipeline, folder, tmp_path):
    without = losses(pipeline, folder, None)
    filling = losses(pipeline, folder, tmp_path / "cache")
    filled = losses(pipeline, folder, tmp_path / "cache")
    assert len(without) == 4
    assert without == filling == filled
    # Six pictures, upright and mirrored.
    assert len(list((tmp_path / "cache" / "latents").rglob("*.safetensors"))) == 12


def test_a_folder_with_errors_stops_the_reference_before_step_0(pipeline, folder, tmp_path, capsys):
    pipeline.save_pretrained(tmp_path / "base")
    bad = tmp_path / "bad"
    bad.mkdir()
    for path in folder.iterdir():
        (bad / path.name).write_bytes(path.read_bytes())
    (bad / "photo 1.txt").unlink()
    (bad / "photo 2.jpg").write_bytes(b"hello")
    out = tmp_path / "out"
    call = ["--data", bad, "--base", tmp_path / "base", "--out", out, "--steps", "2"]
    assert main([str(part) for part in call]) != 0
    error = capsys.readouterr().err
    assert "photo 1.jpg has no caption" in error
    assert "photo 2.jpg cannot be read" in error
    assert not list(out.rglob("*.safetensors"))
