"""The shipped model has the layout, types and sizes that new and old tools rely on."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors import safe_open

from recipes.tiny_sd.captions import caption
from recipes.tiny_sd.export import PROVENANCE, file_hashes
from recipes.tiny_sd.files import read_json
from recipes.tiny_sd.measures import background_names
from recipes.tiny_sd.reference import load_reference
from recipes.tiny_sd.sampling import sample_pictures
from recipes.tiny_sd.settings import SCALING_FACTOR
from recipes.tiny_sd.vae import psnr, reconstruct
from toolkit.base_models.load import load_pipeline

MODEL = Path(__file__).parents[2] / "models" / "tiny-sd"
MIB = 1_000_000


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusionPipeline:
    return load_pipeline(MODEL)


def test_weights_are_float16_and_small() -> None:
    files = list(MODEL.glob("*/*.safetensors"))
    assert len(files) == 3
    for path in files:
        assert path.stat().st_size < 12 * MIB
        with safe_open(path, framework="pt") as stored:
            assert {stored.get_tensor(key).dtype for key in stored.keys()} == {torch.float16}  # noqa: SIM118
    assert sum(path.stat().st_size for path in MODEL.rglob("*") if path.is_file()) < 20 * MIB


def test_text_encoder_keys_have_the_prefix_of_old_tools() -> None:
    with safe_open(MODEL / "text_encoder" / "model.safetensors", framework="pt") as stored:
        assert all(key.startswith("text_model.") for key in stored.keys())  # noqa: SIM118


def test_text_encoder_weights_are_really_loaded(pipeline: StableDiffusionPipeline) -> None:
    with safe_open(MODEL / "text_encoder" / "model.safetensors", framework="pt") as stored:
        expected = stored.get_tensor("text_model.final_layer_norm.weight").float()
    named = dict(pipeline.text_encoder.named_parameters())
    found = next(value for key, value in named.items() if key.endswith("final_layer_norm.weight"))
    assert torch.equal(found.detach(), expected)


def test_components_are_those_of_stable_diffusion(pipeline: StableDiffusionPipeline) -> None:
    names = {
        "vae": "AutoencoderKL",
        "unet": "UNet2DConditionModel",
        "text_encoder": "CLIPTextModel",
        "tokenizer": "CLIPTokenizer",
        "scheduler": "PNDMScheduler",
    }
    assert {key: type(getattr(pipeline, key)).__name__ for key in names} == names
    blocks = pipeline.unet.config
    assert blocks.down_block_types[0] == "CrossAttnDownBlock2D"
    assert blocks.mid_block_type == "UNetMidBlock2DCrossAttn"
    assert blocks.up_block_types[-1] == "CrossAttnUpBlock2D"
    assert not blocks.use_linear_projection
    assert pipeline.vae.config.scaling_factor == SCALING_FACTOR


def test_scheduler_has_the_values_of_stable_diffusion() -> None:
    config = read_json(MODEL / "scheduler" / "scheduler_config.json")
    expected = {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
        "prediction_type": "epsilon",
        "skip_prk_steps": True,
        "steps_offset": 1,
        "set_alpha_to_one": False,
        "clip_sample": False,
    }
    assert {key: config[key] for key in expected} == expected
    assert not DDIMScheduler.from_pretrained(MODEL, subfolder="scheduler").config.clip_sample


def test_model_index_asks_for_no_safety_checker() -> None:
    index = read_json(MODEL / "model_index.json")
    assert index["safety_checker"] == [None, None]
    assert index["feature_extractor"] == [None, None]
    assert index["requires_safety_checker"] is False


def test_plain_loading_gives_one_type_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = StableDiffusionPipeline.from_pretrained(MODEL)
    types = {loaded.unet.dtype, loaded.vae.dtype, loaded.text_encoder.dtype}
    assert types == {torch.float32}


def test_the_card_lists_the_hash_of_every_file() -> None:
    card = (MODEL / "README.md").read_text(encoding="utf-8")
    hashes = file_hashes(MODEL)
    assert hashes == read_json(MODEL / PROVENANCE)["files_sha256"]
    assert all(f"{value}  {key}" in card for key, value in hashes.items())


def test_latents_of_drawings_have_std_one(pipeline: StableDiffusionPipeline) -> None:
    reference = load_reference()
    with torch.no_grad():
        pixel_values = torch.cat(
            [reference.pixel_values(c)[::8] for c in ("red", "white", "black")]
        )
        latents = pipeline.vae.encode(pixel_values).latent_dist.mode() * SCALING_FACTOR
    assert 0.8 < float(latents.std()) < 1.2


def test_autoencoder_keeps_names_it_never_saw(pipeline: StableDiffusionPipeline) -> None:
    held_out = load_reference().held_out[:24]
    assert float(psnr(held_out, reconstruct(pipeline.vae, held_out)).mean()) > PSNR_FLOOR_DB


def test_backgrounds_are_the_prompted_ones(pipeline: StableDiffusionPipeline) -> None:
    colours = ["red", "green", "blue", "white", "black", "yellow"] * 2
    concepts = ["cat-face", "rocket", "red-apple", "robot"] * 3
    prompts = [caption(*pair) for pair in zip(concepts, colours, strict=True)]
    parts = (pipeline.vae, pipeline.unet, pipeline.text_encoder, pipeline.tokenizer)
    pictures = sample_pictures(*parts, prompts, seed=1)
    named = background_names(pictures)
    right = sum(found == asked for found, asked in zip(named, colours, strict=True))
    assert right >= 9


# Well below the measured mean (evaluation.json): a tripwire for a broken file, not a benchmark.
PSNR_FLOOR_DB = 20.0


def test_no_config_names_the_machine_it_was_made_on() -> None:
    for path in MODEL.rglob("*.json"):
        assert "_name_or_path" not in path.read_text(encoding="utf-8"), path
