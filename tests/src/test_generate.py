"""generate.py of both implementations: size, seeds, strength, and nothing left changed."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from torch import nn

from src.generate import generate, scaled
from src.lora import make_lora
from tests.src.support import IMPLEMENTATIONS, Steps, open_dataset
from tests.src.test_lora import perturb
from toolkit.core.settings import HOOK_NAMES, GenerateConfig, LoraConfig

CONFIG = GenerateConfig(num_inference_steps=3, guidance_scale=3.0, height=64, width=48, seed=7)


def pixels(picture):
    return np.asarray(picture, dtype=np.int16)


@pytest.fixture
def trained(main, pipeline, data_dir, lora_config, train_config):
    torch.manual_seed(0)
    adapter = main.make_lora(pipeline, lora_config)
    config = train_config.model_copy(update={"learning_rate": 0.1})
    main.train(pipeline, open_dataset(main.make_dataset, data_dir), adapter, config, Steps())
    return adapter


def test_one_rgb_picture_of_the_right_size_per_prompt(main, pipeline, trained):
    pictures = main.generate(pipeline, trained, ["a", "b", "c"], CONFIG)
    assert [picture.size for picture in pictures] == [(48, 64)] * 3
    assert {picture.mode for picture in pictures} == {"RGB"}
    assert main.generate(pipeline, trained, [], CONFIG) == []


def test_the_same_seed_gives_the_same_picture(main, pipeline, trained):
    (first,) = main.generate(pipeline, trained, ["a"], CONFIG)
    torch.rand(7)
    (second,) = main.generate(pipeline, trained, ["a"], CONFIG)
    assert np.array_equal(first, second)
    other = CONFIG.model_copy(update={"seed": 8})
    (third,) = main.generate(pipeline, trained, ["a"], other)
    assert not np.array_equal(first, third)


def test_a_picture_does_not_depend_on_its_neighbours(main, pipeline, trained):
    many = main.generate(pipeline, trained, list("abcdefghij"), CONFIG)
    few = main.generate(pipeline, trained, list("xyc"), CONFIG)
    alone = main.generate(
        pipeline, trained, ["c"], CONFIG.model_copy(update={"seed": CONFIG.seed + 2})
    )
    # Sums of another batch size are added in another order: the last bit of a pixel may differ.
    assert np.abs(pixels(many[2]) - pixels(few[2])).max() <= 1
    assert np.abs(pixels(many[2]) - pixels(alone[0])).max() <= 1


def test_scale_zero_draws_exactly_what_the_base_draws(main, pipeline, other_pipeline, trained):
    off = CONFIG.model_copy(update={"lora_scale": 0.0})
    half = CONFIG.model_copy(update={"lora_scale": 0.5})
    (with_lora,) = main.generate(pipeline, trained, ["a"], CONFIG)
    (without,) = main.generate(pipeline, trained, ["a"], off)
    (between,) = main.generate(pipeline, trained, ["a"], half)
    noise = torch.randn((1, 4, 8, 6), generator=torch.Generator().manual_seed(7))
    other_pipeline.set_progress_bar_config(disable=True)
    base = other_pipeline(
        "a", latents=noise, height=64, width=48, num_inference_steps=3, guidance_scale=3.0
    ).images[0]
    assert np.array_equal(without, base)
    assert not np.array_equal(with_lora, base)
    assert not np.array_equal(between, base)
    assert not np.array_equal(between, with_lora)


def test_the_strength_is_put_back(main, pipeline, trained, unet_inputs):
    before = pipeline.unet(**unet_inputs).sample
    main.generate(pipeline, trained, ["a"], CONFIG.model_copy(update={"lora_scale": 0.0}))
    assert torch.equal(pipeline.unet(**unet_inputs).sample, before)


def test_prompt_negative_prompt_and_guidance_count(main, pipeline, trained):
    # A random base hardly looks at its text; a strong guidance makes it visible.
    strong = CONFIG.model_copy(update={"guidance_scale": 500.0})
    plain = main.generate(pipeline, trained, ["a red circle"], strong)[0]
    variants = [
        (["a dog"], strong),
        (["a red circle"], strong.model_copy(update={"negative_prompt": "a dog in a park"})),
        (["a red circle"], CONFIG),
    ]
    for prompts, config in variants:
        assert not np.array_equal(main.generate(pipeline, trained, prompts, config)[0], plain)


def test_it_is_quiet_and_leaves_no_gradients(main, pipeline, trained, capfd):
    main.generate(pipeline, trained, ["a"], CONFIG)
    assert capfd.readouterr().err == ""
    assert not pipeline.unet.training


@pytest.mark.parametrize("swapped", ["make_dataset", "make_lora", "train", "generate"])
def test_any_hook_works_with_the_other_implementations(
    swapped, pipeline, data_dir, lora_config, train_config
):
    reference, example = (importlib.import_module(f"{name}.main") for name in IMPLEMENTATIONS)
    hooks = {hook: getattr(example if hook == swapped else reference, hook) for hook in HOOK_NAMES}
    dataset = open_dataset(hooks["make_dataset"], data_dir)
    adapter = hooks["make_lora"](pipeline, lora_config)
    hooks["train"](pipeline, dataset, adapter, train_config, Steps())
    pictures = [
        hooks["generate"](pipeline, adapter, ["a"], CONFIG.model_copy(update={"lora_scale": scale}))
        for scale in (0.0, 1.0)
    ]
    assert not np.array_equal(pictures[0][0], pictures[1][0])


def test_any_adapter_is_drawn_at_full_strength(main, pipeline, trained):
    foreign = torch.nn.ModuleList([torch.nn.Linear(2, 2)])
    assert len(main.generate(pipeline, foreign, ["a"], CONFIG)) == 1
    with pytest.raises(ValueError, match="lora_scale"):
        main.generate(pipeline, foreign, ["a"], CONFIG.model_copy(update={"lora_scale": 0.5}))


@pytest.mark.parametrize("package", IMPLEMENTATIONS)
def test_generate_image_of_the_first_document(package, pipeline):
    generate_image = importlib.import_module(f"{package}.generate").generate_image
    pipeline.set_progress_bar_config(disable=True)
    assert generate_image("a circle", pipeline, num_inference_steps=2).size == (64, 64)


@pytest.fixture
def adapter(pipeline):
    """LoRA on every kind of layer, doing something."""
    adapter = make_lora(pipeline, LoraConfig(target_modules=("all",), alpha=6))
    perturb(pipeline.unet)
    return adapter


@torch.no_grad()
def test_strength_zero_is_exactly_the_base(pipeline, other_pipeline, adapter, unet_inputs):
    base = other_pipeline.unet(**unet_inputs).sample
    trained = pipeline.unet(**unet_inputs).sample
    assert not torch.equal(trained, base)
    with scaled(adapter, 0.0):
        assert torch.equal(pipeline.unet(**unet_inputs).sample, base)
    assert torch.equal(pipeline.unet(**unet_inputs).sample, trained)


def test_an_adapters_own_strength_comes_back_also_after_an_error(adapter):
    with scaled(adapter, 0.5):
        with pytest.raises(RuntimeError), scaled(adapter, 2.0):
            assert {layer.lora_scale for layer in adapter.children()} == {2.0}
            raise RuntimeError
        assert {layer.lora_scale for layer in adapter.children()} == {0.5}
    assert {layer.lora_scale for layer in adapter.children()} == {1.0}


def test_an_adapter_that_cannot_be_scaled_is_an_error_unless_the_scale_is_one():
    foreign = nn.ModuleList([nn.Linear(2, 2)])
    with scaled(foreign, 1.0):
        pass
    with pytest.raises(ValueError, match="`lora_scale`"), scaled(foreign, 0.5):
        pass


def test_the_reference_puts_modes_and_progress_bar_back(pipeline, lora_config):
    adapter = make_lora(pipeline, lora_config)
    pipeline.unet.train()
    pipeline.set_progress_bar_config(leave=False)
    generate(pipeline, adapter, ["a"], CONFIG)
    assert pipeline.unet.training
    assert not pipeline.vae.training
    assert pipeline._progress_bar_config == {"leave": False}
