"""A killed run goes on as if nothing had happened."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from recipes.tiny_sd.models import build_vae
from recipes.tiny_sd.settings import SCALING_FACTOR, Recipe, VaeSettings
from recipes.tiny_sd.stages import Context
from recipes.tiny_sd.threads import ThreadChooser
from recipes.tiny_sd.training import LossFunction, Schedule, TrainState, train
from recipes.tiny_sd.whiten import whiten_latents


class Killed(Exception):
    """Stands for SIGKILL."""


def _loss(state: TrainState, kill_at: int | None = None) -> LossFunction:
    module = state.modules["linear"]

    def loss_of(step: int, rng: object) -> torch.Tensor:
        if step == kill_at:
            raise Killed
        return (module(torch.randn(8, 32)) - torch.ones(8, 16)).square().mean()

    return loss_of


def _state() -> TrainState:
    torch.manual_seed(0)
    return TrainState({"linear": torch.nn.Linear(32, 16)})


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    schedule = Schedule(train_steps=20, decay_steps=5, learning_rate=0.1, checkpoint_every=5)
    whole = _state()
    train(whole, _loss(whole), schedule, tmp_path / "whole.safetensors")

    broken = _state()
    with contextlib.suppress(Killed):
        train(broken, _loss(broken, kill_at=13), schedule, tmp_path / "parts.safetensors")
    resumed = _state()
    train(resumed, _loss(resumed), schedule, tmp_path / "parts.safetensors")

    expected = load_file(tmp_path / "whole.safetensors")
    found = load_file(tmp_path / "parts.safetensors")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_unet_stage_resumes_to_the_same_weights(toy_run: Context, tmp_path: Path) -> None:
    from recipes.tiny_sd.unet import train_unet

    for name in ("latents.json", "latents.safetensors"):
        (tmp_path / name).symlink_to(toy_run.run / name)
    for name in ("tokenizer", "vae"):
        (tmp_path / name).symlink_to(toy_run.run / name, target_is_directory=True)
    recipe: Recipe = toy_run.recipe
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    # Stopping at a checkpoint is what a kill leaves: the steps after the last one are lost.
    half = replace(recipe.unet, train_steps=2, decay_steps=0)
    whole = replace(recipe.unet, train_steps=4, decay_steps=0)
    train_unet(replace(recipe, unet=half), tmp_path)
    train_unet(replace(recipe, unet=whole), tmp_path)
    parts = load_file(tmp_path / "unet.safetensors")
    (tmp_path / "unet.safetensors").unlink()
    train_unet(replace(recipe, unet=whole), tmp_path)
    torch.set_num_threads(threads)
    at_once = load_file(tmp_path / "unet.safetensors")
    assert all(torch.equal(parts[key], at_once[key]) for key in at_once)


def test_swapping_the_average_twice_changes_nothing() -> None:
    state = _state()
    state.ema = {key: value + 1 for key, value in state.ema.items()}
    before = {key: value.detach().clone() for key, value in state.parameters.items()}
    state.swap_average()
    assert not torch.equal(state.parameters["linear.weight"], before["linear.weight"])
    state.swap_average()
    assert all(torch.equal(value, before[key]) for key, value in state.parameters.items())


def test_rate_warms_up_stays_and_falls() -> None:
    schedule = Schedule(train_steps=1000, decay_steps=200, learning_rate=1.0, warmup_steps=10)
    assert schedule.rate(0) < schedule.rate(5) < schedule.rate(500) == 1.0
    assert schedule.rate(900) < 1.0
    assert 0 < schedule.rate(999) < 0.05


def test_whitening_changes_latents_and_no_reconstruction() -> None:
    torch.manual_seed(1)
    vae = build_vae(VaeSettings(widths=(4, 4, 8, 8), latent_channels=4)).eval()
    pixel_values = torch.rand(8, 3, 64, 64) * 2 - 1  # (B, 3, H, W)
    with torch.no_grad():
        before = vae.decode(vae.encode(pixel_values).latent_dist.mode()).sample
        whiten_latents(vae, pixel_values, 1 / SCALING_FACTOR)
        latents = vae.encode(pixel_values).latent_dist.mode()  # (B, C, 8, 8)
        after = vae.decode(latents).sample
    torch.testing.assert_close(before, after, atol=1e-4, rtol=1e-3)
    scaled = latents * SCALING_FACTOR
    rows = scaled.permute(0, 2, 3, 1).flatten(0, 2)  # (B * h * w, C)
    torch.testing.assert_close(torch.cov(rows.T), torch.eye(4), atol=1e-2, rtol=0)
    torch.testing.assert_close(rows.mean(0), torch.zeros(4), atol=1e-2, rtol=0)


def test_thread_chooser_leaves_threads_alone_unless_asked() -> None:
    before = torch.get_num_threads()
    chooser = ThreadChooser(enabled=False)
    for _ in range(5):
        chooser.before_step()
        chooser.after_step()
    assert torch.get_num_threads() == before
