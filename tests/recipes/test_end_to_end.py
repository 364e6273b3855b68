"""The recipe runs from packages to a model card."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

from recipes.tiny_sd.captions import caption
from recipes.tiny_sd.files import read_json
from recipes.tiny_sd.latents import load_latents
from recipes.tiny_sd.settings import LATENT_CHANNELS
from recipes.tiny_sd.stages import EXTRA_STAGES, STAGES, Context


def test_a_toy_model_comes_out_and_draws(toy_run: Context) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(toy_run.model)
    pipeline.set_progress_bar_config(disable=True)
    prompt = caption("star", "blue", "noto")
    pictures = pipeline([prompt], num_inference_steps=2, output_type="np").images
    assert pictures.shape == (1, 64, 64, 3)
    assert pipeline.safety_checker is None


def test_latents_have_the_std_that_the_scaling_factor_promises(toy_run: Context) -> None:
    scenes, latents = load_latents(toy_run.run)
    assert len(scenes) == len(latents) == toy_run.recipe.composites
    torch.testing.assert_close(
        latents.std((0, 2, 3)), torch.ones(LATENT_CHANNELS), atol=0.3, rtol=0
    )


# diffusers' DPM++ 2M makes a numpy array of a tensor in a way numpy 2 frowns on.
@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_evaluation_writes_figures_pictures_and_a_card(toy_run: Context) -> None:
    STAGES["evaluate"](toy_run)
    report = read_json(toy_run.model / "evaluation.json")
    scales = {float(setting.split(",")[0]) for setting in report["guidance"]}
    assert {1.0, 3.0, 5.0, 7.5} <= scales
    assert report["recommended"]["setting"] in report["guidance"]
    card = (toy_run.model / "README.md").read_text(encoding="utf-8")
    assert all(
        value in card
        for value in read_json(toy_run.model / "training.json")["files_sha256"].values()
    )
    assert "$" not in card
    assert (toy_run.model / "pictures" / "samples.png").exists()


def test_previews_and_logs_are_written(toy_run: Context) -> None:
    assert list((toy_run.run / "previews").glob("unet-*.png"))
    assert list((toy_run.run / "previews").glob("vae-*.png"))
    lines = (toy_run.run / "unet.jsonl").read_text(encoding="utf-8").splitlines()
    assert any('"loss"' in line for line in lines)


def test_a_missing_corpus_is_explained(toy_run: Context) -> None:
    empty = replace(toy_run, run=toy_run.run / "nothing-here")
    try:
        STAGES["vae"](empty)
    except SystemExit as stopped:
        assert "Fix:" in str(stopped)
    else:
        raise AssertionError("a stage without its input must stop")


def test_half_the_size_trains_on_copies_of_the_latents_resumes_and_draws(
    toy_run: Context, tmp_path: Path
) -> None:
    for name in ("tokenizer", "vae"):
        shutil.copytree(toy_run.run / name, tmp_path / name)
    for name in ("vae.json", "corpus.json", "latents.json", "latents.safetensors"):
        shutil.copy(toy_run.run / name, tmp_path / name)
    half = replace(
        toy_run, recipe=toy_run.recipe.sized("half"), run=tmp_path, model=tmp_path / "model"
    )
    STAGES["unet"](half)
    longer = replace(half.recipe.unet, train_steps=6)
    STAGES["unet"](replace(half, recipe=replace(half.recipe, unet=longer)))
    STAGES["export"](half)
    pipeline = StableDiffusionPipeline.from_pretrained(half.model)
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline.unet.config.block_out_channels == [8, 16]
    assert pipeline.text_encoder.config.hidden_size == toy_run.recipe.unet.text_width
    assert pipeline("a star", num_inference_steps=2, output_type="np").images.shape[1] == 64
    assert read_json(half.model / "training.json")["unet_samples"] == 6 * longer.batch_size


def test_a_checkpoint_of_another_size_is_refused(toy_run: Context) -> None:
    with pytest.raises(SystemExit, match=r"another size[\s\S]*Fix: give the --size"):
        STAGES["unet"](replace(toy_run, recipe=toy_run.recipe.sized("half")))


def test_a_landed_model_becomes_a_run_again(toy_run: Context, tmp_path: Path) -> None:
    adopted = replace(toy_run, run=tmp_path)
    EXTRA_STAGES["adopt"](adopted)
    for name in ("corpus.json", "corpus.npy"):
        (tmp_path / name).symlink_to(toy_run.run / name)
    STAGES["latents"](adopted)
    longer = replace(toy_run.recipe.unet, train_steps=6)
    STAGES["unet"](replace(adopted, recipe=replace(toy_run.recipe, unet=longer)))
    state = load_file(tmp_path / "unet.safetensors")
    assert any(key.startswith("exp_avg") for key in state)
    with pytest.raises(SystemExit, match="Fix:"):
        EXTRA_STAGES["adopt"](adopted)
