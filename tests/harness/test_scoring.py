"""The scorer: the loss against a computation of one's own, and who may be imported."""

import ast
import itertools
from pathlib import Path

import pytest
import torch

from harness import paths
from harness.base_model import load_pipeline
from harness.records import GenerateConfig, GridSpec
from harness.scoring.grid import build_grid, encode_captions, heldout_loss
from harness.scoring.jobs import Entry, ScoreAnswer, ScoreJob
from harness.scoring.pictures import read_folder
from harness.worker.process import Child, run_children
from tests.harness.test_worker import Silent

SPEC = GridSpec(timesteps=(50, 500, 950), noises_per_picture=2, seed=5)
HELDOUT = paths.TRACKS / "robot" / "heldout"


@pytest.fixture(scope="module")
def pipeline(random_base):
    return load_pipeline(random_base)


@pytest.fixture(scope="module")
def grid(pipeline):
    pixel_values, captions = read_folder(HELDOUT, 64)
    return build_grid(pipeline, pixel_values[:3], captions[:3], SPEC)


def test_the_loss_equals_a_computation_in_float64_item_by_item(pipeline, grid):
    found = heldout_loss(pipeline, pipeline.unet, pipeline.text_encoder, grid)
    pixel_values, captions = read_folder(HELDOUT, 64)
    noise = torch.randn((18, 4, 8, 8), generator=torch.Generator().manual_seed(5))
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    alphas = torch.cumprod(1 - betas, 0)
    states = encode_captions(pipeline, pipeline.text_encoder, captions[:3])
    wanted: dict[int, list[float]] = {0: [], 1: [], 2: []}
    items = itertools.product(range(3), SPEC.timesteps, range(2))
    with torch.no_grad():
        for number, (picture, t, _) in enumerate(items):
            latents = pipeline.vae.encode(pixel_values[picture : picture + 1]).latent_dist.mean
            latents = latents.double() * pipeline.vae.config.scaling_factor
            noisy = alphas[t].sqrt() * latents + (1 - alphas[t]).sqrt() * noise[number].double()
            pred = pipeline.unet(noisy.float(), t, states[picture : picture + 1]).sample
            error = (pred.double() - noise[number].double()).square().mean().item()
            wanted[t * 3 // 1000].append(error)
    everything = [error for band in wanted.values() for error in band]
    assert found.mean == pytest.approx(sum(everything) / len(everything), rel=1e-5)
    for band in range(3):
        assert found.bands[band] == pytest.approx(sum(wanted[band]) / 6, rel=1e-5)


def test_the_same_grid_twice_is_the_same_to_the_bit(pipeline, grid):
    pixel_values, captions = read_folder(HELDOUT, 64)
    again = build_grid(pipeline, pixel_values[:3], captions[:3], SPEC)
    assert torch.equal(again.noisy_latents, grid.noisy_latents)
    one, two = (
        heldout_loss(pipeline, pipeline.unet, pipeline.text_encoder, g) for g in (grid, again)
    )
    assert one == two


def test_the_captions_matter(pipeline, grid):
    from dataclasses import replace

    other = replace(grid, captions=["something else entirely"] * 3)
    assert heldout_loss(pipeline, pipeline.unet, pipeline.text_encoder, grid) != heldout_loss(
        pipeline, pipeline.unet, pipeline.text_encoder, other
    )


def test_an_entry_at_fault_does_not_stop_the_others(random_base, tmp_path):
    from harness.artefact.delta_file import write_delta

    good = tmp_path / "good.safetensors"
    write_delta(good, {"unet": {"conv_in.bias": torch.full((16,), 0.1)}, "text_encoder": {}})
    job = ScoreJob(
        base_model=str(random_base),
        heldout_dir=HELDOUT,
        resolution=64,
        grid=SPEC,
        prompts=("a robot",),
        sampling=GenerateConfig(num_inference_steps=2),
        entries=(
            Entry(label="Bad", seed=0, delta=tmp_path / "none.safetensors"),
            Entry(label="Good", seed=0, delta=good),
        ),
        out=tmp_path / "out",
    )
    child = Child(
        "scorer",
        "harness.scoring.main",
        job,
        tmp_path / "out",
        120,
        ScoreAnswer.model_validate_json,
    )
    run_children([child], Silent())
    assert child.outcome is not None
    answer = child.outcome.answer
    assert answer is not None, child.outcome.error
    bad, fine = answer.entries
    assert bad.error is not None and bad.loss is None
    assert fine.loss is not None and answer.base is not None
    assert fine.loss != answer.base
    assert set(answer.pictures) == {"base", "Good"}


@pytest.mark.parametrize("room", ["scoring", "artefact"])
def test_the_trusted_rooms_import_no_contribution_and_no_reference(room):
    for path in (paths.ROOT / "harness" / room).glob("*.py"):
        for module in imported_modules(path):
            assert module.split(".")[0] not in {"src", "CONTRIBUTIONS"}, path
            assert module != "harness.plugins", path


def imported_modules(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
