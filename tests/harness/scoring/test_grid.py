"""The grid: the loss against a computation of one's own, and who may be imported."""

import ast
import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness import paths
from harness.protocol.base_model import load_pipeline
from harness.protocol.track_file import GridSpec
from harness.scoring.grid import (
    build_grid,
    encode_captions,
    encode_pictures,
    loss_of,
    predict_noise,
    relative_difference,
)
from harness.scoring.pictures import read_folder

SPEC = GridSpec(timesteps=(50, 500, 950), noises_per_picture=2, seed=5)
HELDOUT = paths.TRACKS / "robot" / "heldout"


@pytest.fixture(scope="module")
def pipeline(random_base):
    return load_pipeline(random_base)


def make_grid(pipeline, spec=SPEC):
    pixel_values, captions = read_folder(HELDOUT, 64)
    latents = encode_pictures(pipeline, pixel_values[:3], spec.batch_size)
    return build_grid(pipeline, latents, captions[:3], spec)


@pytest.fixture(scope="module")
def grid(pipeline):
    return make_grid(pipeline)


def heldout_loss(pipeline, grid):
    return loss_of(predict_noise(pipeline, pipeline.unet, pipeline.text_encoder, grid), grid)


def test_the_loss_equals_a_computation_in_float64_item_by_item(pipeline, grid):
    found = heldout_loss(pipeline, grid)
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
    by_picture = torch.tensor(found.pictures)
    assert float(by_picture.mean()) == pytest.approx(found.mean)
    assert by_picture.std() > 0


def test_the_same_grid_twice_is_the_same_to_the_bit(pipeline, grid):
    again = make_grid(pipeline)
    assert torch.equal(again.noisy_latents, grid.noisy_latents)
    assert heldout_loss(pipeline, grid) == heldout_loss(pipeline, again)


def test_the_size_of_batches_changes_nothing_but_the_last_digits(pipeline, grid):
    small = make_grid(pipeline, SPEC.model_copy(update={"batch_size": 5}))
    assert heldout_loss(pipeline, small).mean == pytest.approx(
        heldout_loss(pipeline, grid).mean, rel=1e-5
    )


def test_one_thread_and_two_agree_within_the_stated_tolerance(pipeline, grid):
    one = heldout_loss(pipeline, grid)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        two = heldout_loss(pipeline, grid)
    finally:
        torch.set_num_threads(before)
    assert two.mean == pytest.approx(one.mean, rel=1e-5)  # docs/protocol.md, "Repeating"


def test_the_captions_matter(pipeline, grid):
    other = replace(grid, captions=["something else entirely"] * 3)
    assert heldout_loss(pipeline, grid) != heldout_loss(pipeline, other)


def test_relative_difference_by_hand():
    assert relative_difference(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 5.0])) == 1 / 34
    assert relative_difference(torch.ones(3), torch.ones(3)) == 0


@pytest.mark.parametrize("room", ["harness/scoring", "toolkit/deltas"])
def test_the_trusted_rooms_import_no_contribution_and_no_reference(room):
    files = list((paths.ROOT / room).glob("*.py"))
    assert files
    for path in files:
        for module in imported_modules(path):
            assert module.split(".")[0] not in {"src", "CONTRIBUTIONS"}, path
            assert module != "harness.worker.hooks", path


def imported_modules(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
