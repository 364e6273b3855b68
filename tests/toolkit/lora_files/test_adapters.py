"""adapters.py: what is saved comes back, here and in diffusers."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from src.lora import make_lora
from tests.src.conftest import _pristine, other_pipeline, pipeline, unet_inputs
from tests.src.test_lora import perturb, sd14
from toolkit.core.errors import HubError
from toolkit.core.settings import LoraConfig
from toolkit.lora_files.adapters import load_adapter, save_adapter
from toolkit.lora_files.programs import accepted_by_a1111, accepted_by_comfyui

CONFIG = LoraConfig(rank=4, alpha=6, target_modules=("all",), train_text_encoder=True)
__all__ = ["_pristine", "other_pipeline", "pipeline", "sd14", "unet_inputs"]


@pytest.fixture
def trained(pipeline):
    adapter = make_lora(pipeline, CONFIG)
    perturb(pipeline.unet)
    perturb(pipeline.text_encoder)
    return adapter


@torch.no_grad()
def answers(pipeline, unet_inputs):
    """What the U-Net and the text encoder say to fixed input."""
    input_ids = torch.randint(0, 200, (2, 9), generator=torch.Generator().manual_seed(5))
    return pipeline.unet(**unet_inputs).sample, pipeline.text_encoder(input_ids)[0]


def largest_difference(first, second):
    return max(float((a - b).abs().max()) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("form", ["kohya", "diffusers"])
def test_a_file_restores_the_adapter_in_a_fresh_base(
    pipeline, other_pipeline, trained, unet_inputs, tmp_path, form
):
    path = tmp_path / "a.safetensors"
    save_adapter(trained, path, {"hub.name": "x"}, form=form, dtype="fp32")
    fresh = make_lora(other_pipeline, CONFIG)
    assert load_adapter(fresh, path)["hub.name"] == "x"
    expected, found = answers(pipeline, unet_inputs), answers(other_pipeline, unet_inputs)
    # diffusers' format has no place for alpha: it is in the factors, and rounded.
    assert largest_difference(found, expected) <= (0 if form == "kohya" else 1e-5)


def test_half_precision_costs_three_digits_and_no_more(
    pipeline, other_pipeline, trained, unet_inputs, tmp_path
):
    base = answers(other_pipeline, unet_inputs)
    save_adapter(trained, tmp_path / "a.safetensors")
    load_adapter(make_lora(other_pipeline, CONFIG), tmp_path / "a.safetensors")
    expected, found = answers(pipeline, unet_inputs), answers(other_pipeline, unet_inputs)
    effect = largest_difference(expected, base)
    assert 0 < largest_difference(found, expected) < 2e-3 * effect
    assert load_file(tmp_path / "a.safetensors").popitem()[1].dtype == torch.float16


def test_a_peft_folder_is_written_on_request(trained, other_pipeline, tmp_path):
    save_adapter(trained, tmp_path / "peft", form="peft")
    assert (tmp_path / "peft/unet/adapter_config.json").is_file()
    load_adapter(make_lora(other_pipeline, CONFIG), tmp_path / "peft")


@pytest.mark.parametrize("form", ["kohya", "diffusers"])
@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_diffusers_loads_the_file_as_the_same_model(
    pipeline, other_pipeline, trained, unet_inputs, tmp_path, form, dtype
):
    save_adapter(trained, tmp_path / "a.safetensors", form=form, dtype=dtype)
    base = answers(other_pipeline, unet_inputs)
    other_pipeline.load_lora_weights(tmp_path, weight_name="a.safetensors")
    expected, found = answers(pipeline, unet_inputs), answers(other_pipeline, unet_inputs)
    allowed = 1e-4 if dtype == "fp32" else 2e-3 * largest_difference(expected, base)
    assert largest_difference(found, expected) < allowed


def test_the_file_of_sd14_has_kohyas_keys_and_shapes_and_every_program_knows_them(sd14, tmp_path):
    """Shapes alone: the base is on torch's meta device, the adapter is real."""
    unet, text_encoder = copy.deepcopy(sd14)
    pipeline = SimpleNamespace(unet=unet, text_encoder=text_encoder, vae=nn.Identity())
    adapter = make_lora(pipeline, LoraConfig(rank=2, alpha=1, train_text_encoder=True))
    adapter.to_empty(device="cpu")
    for parameter in adapter.parameters():
        nn.init.constant_(parameter, 0.01)
    assert len(adapter) == 264

    path = tmp_path / "a.safetensors"
    save_adapter(adapter, path)
    tensors = load_file(path)
    assert len(tensors) == 792
    assert all(accepted_by_comfyui(key) and accepted_by_a1111(key) for key in tensors)
    block = "lora_unet_down_blocks_0_attentions_0"
    assert tensors[f"{block}_proj_in.lora_down.weight"].shape == (2, 320, 1, 1)
    assert tensors[f"{block}_proj_in.lora_up.weight"].shape == (320, 2, 1, 1)
    assert tensors[f"{block}_transformer_blocks_0_attn2_to_k.lora_down.weight"].shape == (2, 768)
    assert tensors[f"{block}_transformer_blocks_0_ff_net_0_proj.alpha"] == 1
    text = "lora_te_text_model_encoder_layers_11_mlp_fc2"
    assert tensors[f"{text}.lora_down.weight"].shape == (2, 3072)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["ss_network_module"] == "networks.lora"
    assert (metadata["ss_network_dim"], metadata["ss_network_alpha"]) == ("2", "1.0")
    assert metadata["hub.layers"] == "unet 192, text_encoder 72"


def test_a_failed_save_leaves_the_old_file_whole(trained, tmp_path):
    path = tmp_path / "a.safetensors"
    save_adapter(trained, path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="LoRALayer"):
        save_adapter(nn.ModuleDict({"x": nn.Linear(1, 1)}), path)
    with pytest.raises(Exception, match=r"metadata|str"):
        save_adapter(trained, path, {"number": 3})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (CONFIG.model_copy(update={"rank": 8}), "has rank 4"),
        (LoraConfig(rank=4), "no layer for the key 'lora_te_text_model"),
        (LoraConfig(target_modules=("all", "conv_in"), train_text_encoder=True), "no LoRA for 1 "),
    ],
)
def test_a_file_for_another_adapter_is_refused(trained, other_pipeline, tmp_path, config, message):
    save_adapter(trained, tmp_path / "a.safetensors")
    with pytest.raises((HubError, ValueError), match=message):
        load_adapter(make_lora(other_pipeline, config), tmp_path / "a.safetensors")
