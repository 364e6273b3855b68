"""strength.py: scaled, switched off and on, merged and unmerged, and the base as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from src.lora import apply_lora_to_model, make_lora
from src.strength import (
    disable_lora,
    enable_lora,
    merge_lora,
    scaled,
    set_lora_scale,
    unmerge_lora,
)
from tests.src.support import snapshot
from tests.src.test_lora import perturb
from toolkit.core.settings import LoraConfig


@pytest.fixture
def adapter(pipeline):
    """LoRA on every kind of layer, doing something."""
    adapter = make_lora(pipeline, LoraConfig(target_modules=("all",), alpha=6))
    perturb(pipeline.unet)
    return adapter


def test_scale_zero_is_exactly_the_base(pipeline, other_pipeline, adapter, unet_inputs):
    base = other_pipeline.unet(**unet_inputs).sample
    assert not torch.equal(pipeline.unet(**unet_inputs).sample, base)
    set_lora_scale(adapter, 0.0)
    assert torch.equal(pipeline.unet(**unet_inputs).sample, base)


def test_scaled_puts_the_strength_back_also_after_an_error(adapter):
    set_lora_scale(adapter, 0.5)
    with pytest.raises(RuntimeError), scaled(adapter, 2.0):
        assert {layer.lora_scale for layer in adapter.children()} == {2.0}
        raise RuntimeError
    assert {layer.lora_scale for layer in adapter.children()} == {0.5}


def test_an_adapter_that_cannot_be_scaled_is_an_error_unless_the_scale_is_one():
    foreign = nn.ModuleList([nn.Linear(2, 2)])
    set_lora_scale(foreign, 1.0)
    with pytest.raises(ValueError, match="`lora_scale`"):
        set_lora_scale(foreign, 0.5)


def test_switched_off_it_is_the_base_and_on_again_what_it_was(
    pipeline, other_pipeline, adapter, unet_inputs
):
    set_lora_scale(adapter, 0.5)
    before = pipeline.unet(**unet_inputs).sample
    assert disable_lora(pipeline.unet) == 276
    base = other_pipeline.unet(**unet_inputs).sample
    assert torch.equal(pipeline.unet(**unet_inputs).sample, base)
    assert enable_lora(adapter) == 276
    assert torch.equal(pipeline.unet(**unet_inputs).sample, before)


@pytest.mark.parametrize("lora_scale", [1.0, 0.5, -1.0])
def test_merged_it_computes_the_same_and_unmerged_it_is_the_base_bit_for_bit(
    pipeline, other_pipeline, adapter, unet_inputs, lora_scale
):
    set_lora_scale(adapter, lora_scale)
    live = pipeline.unet(**unet_inputs).sample
    assert merge_lora(pipeline.unet) == 276
    merged = pipeline.unet(**unet_inputs).sample
    assert (merged - live).abs().max() < 1e-5
    base = snapshot(other_pipeline.unet)
    weight = "down_blocks.0.downsamplers.0.conv.weight"
    assert not torch.equal(pipeline.unet.state_dict()[weight], base[weight])
    assert unmerge_lora(pipeline.unet) == 276
    state = pipeline.unet.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in base.items())
    assert torch.equal(pipeline.unet(**unet_inputs).sample, live)


def test_a_half_precision_base_comes_back_bit_for_bit():
    layer = nn.Linear(8, 8).to(torch.bfloat16)
    before = layer.weight.detach().clone()
    model = apply_lora_to_model(nn.Sequential(layer))
    perturb(model)
    merge_lora(model)
    assert layer.weight.dtype == torch.bfloat16
    assert not torch.equal(layer.weight, before)
    unmerge_lora(model)
    assert torch.equal(layer.weight, before)


def test_merging_leaves_the_adapters_own_weights_alone(pipeline, adapter):
    before = snapshot(adapter)
    merge_lora(pipeline.unet)
    after = adapter.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_a_merged_lora_cannot_be_merged_scaled_or_switched(pipeline, adapter):
    merge_lora(pipeline.unet)
    with pytest.raises(ValueError, match="merged already"):
        merge_lora(pipeline.unet)
    with pytest.raises(ValueError, match="fixed strength"):
        set_lora_scale(adapter, 0.5)
    with pytest.raises(ValueError, match="cannot be switched"):
        disable_lora(pipeline.unet)
    set_lora_scale(adapter, 1.0)
    unmerge_lora(pipeline.unet)
    with pytest.raises(ValueError, match="not merged"):
        unmerge_lora(pipeline.unet)


@pytest.mark.parametrize("function", [merge_lora, unmerge_lora, disable_lora, enable_lora])
def test_a_model_without_a_lora_is_an_error(function, pipeline):
    with pytest.raises(ValueError, match="no LoRA in this model"):
        function(pipeline.unet)
