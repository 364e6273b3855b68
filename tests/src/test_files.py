"""files.py: what is saved comes back, here and in diffusers."""

from __future__ import annotations

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from harness.records import LoraConfig
from src.files import load_adapter, save_adapter
from src.lora import make_lora
from tests.src.test_lora import ATTENTION_AND_MLP, perturb

CONFIG = LoraConfig(rank=4, alpha=6, target_modules=ATTENTION_AND_MLP)


@pytest.fixture
def trained(pipeline):
    adapter = make_lora(pipeline, CONFIG)
    perturb(pipeline.unet)
    return adapter


def test_a_file_restores_the_adapter_in_a_fresh_base(
    pipeline, other_pipeline, trained, unet_inputs, tmp_path
):
    save_adapter(trained, tmp_path / "a.safetensors", {"hub.name": "x"})
    fresh = make_lora(other_pipeline, CONFIG)
    assert load_adapter(fresh, tmp_path / "a.safetensors")["hub.name"] == "x"
    expected = pipeline.unet(**unet_inputs).sample
    assert torch.equal(other_pipeline.unet(**unet_inputs).sample, expected)


def test_diffusers_loads_the_file_as_the_same_model(
    pipeline, other_pipeline, trained, unet_inputs, tmp_path
):
    save_adapter(trained, tmp_path / "a.safetensors")
    other_pipeline.load_lora_weights(tmp_path, weight_name="a.safetensors")
    expected = pipeline.unet(**unet_inputs).sample
    assert (other_pipeline.unet(**unet_inputs).sample - expected).abs().max() < 1e-4


def test_the_file_has_kohyas_keys_and_shapes(trained, tmp_path):
    path = tmp_path / "a.safetensors"
    save_adapter(trained, path)
    tensors = load_file(path)
    block = "lora_unet_down_blocks_0_attentions_0"
    assert len(tensors) == 3 * 192
    assert tensors[f"{block}_proj_in.lora_down.weight"].shape == (4, 16, 1, 1)
    assert tensors[f"{block}_transformer_blocks_0_attn2_to_k.lora_down.weight"].shape == (4, 32)
    assert tensors[f"{block}_transformer_blocks_0_ff_net_0_proj.alpha"] == 6
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["ss_network_module"] == "networks.lora"


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
        (LoraConfig(rank=8, target_modules=ATTENTION_AND_MLP), "has rank 4"),
        (LoraConfig(rank=4), "differ in 192 tensors"),
    ],
)
def test_a_file_for_another_adapter_is_refused(trained, other_pipeline, tmp_path, config, message):
    save_adapter(trained, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=message):
        load_adapter(make_lora(other_pipeline, config), tmp_path / "a.safetensors")
