"""What docs/protocol.md says of two threads: another order of additions, no other result."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from harness import paths
from harness.protocol.base_model import load_pipeline
from harness.protocol.track import load_track
from harness.protocol.track_file import GridSpec
from harness.scoring.grid import build_grid, encode_pictures, loss_of, predict_noise
from harness.scoring.pictures import read_folder
from src.dataset import make_dataset
from src.lora import make_lora
from src.train import train
from toolkit.core.settings import DatasetConfig, LoraConfig, TrainConfig

TOLERANCE = 1e-5  # of the loss


class Quiet:
    """A reporter that tells nobody."""

    def step(self, step: int, loss: float) -> None:
        """Keep quiet."""


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def trained_loss(count: int) -> float:
    """Return the held-out loss after a short training with so many threads."""
    torch.set_num_threads(count)
    track = load_track("robot")
    pipeline = load_pipeline(track.base_model)
    torch.manual_seed(0)
    adapter = make_lora(pipeline=pipeline, config=LoraConfig())
    dataset = make_dataset(data_dir=track.train_dir, resolution=64, config=DatasetConfig())
    config = TrainConfig(steps=3, batch_size=4, learning_rate=1e-3, seed=0)
    train(pipeline=pipeline, dataset=dataset, adapter=adapter, config=config, reporter=Quiet())
    pixel_values, captions = read_folder(track.heldout_dir, 64)
    latents = encode_pictures(pipeline, pixel_values, 8)
    spec = GridSpec(timesteps=(100, 500, 900), noises_per_picture=1, seed=0)
    grid = build_grid(pipeline, latents, captions, spec)
    return loss_of(predict_noise(pipeline, pipeline.unet, pipeline.text_encoder, grid), grid).mean


def test_with_two_threads_the_heldout_loss_is_the_same_within_the_stated_tolerance(threads):
    assert trained_loss(2) == pytest.approx(trained_loss(1), rel=TOLERANCE)


def test_the_protocol_states_that_tolerance():
    text = (paths.ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    assert f"differs by less than {TOLERANCE:.0e} of itself".replace("e-05", "e-5") in " ".join(
        text.split()
    )
