"""lora.py: the correction is called, it is the right one, and nothing else moves."""

from __future__ import annotations

import copy
import importlib

import peft
import pytest
import torch
from torch import nn

from harness.records import LoraConfig
from src.lora import (
    LoRALayer,
    apply_lora_to_model,
    make_lora,
    set_lora_scale,
)
from tests.src.support import snapshot

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
ATTENTION_AND_MLP = (*ATTENTION, "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")


def perturb(model: nn.Module) -> None:
    generator = torch.Generator().manual_seed(9)
    for layer in model.modules():
        if isinstance(layer, LoRALayer):
            noise = torch.randn(layer.lora_B.shape, generator=generator)
            layer.lora_B.data = 0.05 * noise


def test_layer_has_the_parameters_of_the_first_document():
    layer = LoRALayer(6, 10, rank=3, alpha=2)
    assert layer.lora_A.shape == (3, 6)
    assert layer.lora_B.shape == (10, 3)
    assert layer.scale == 2 / 3
    assert layer.lora_A.abs().sum() > 0
    assert layer.lora_B.abs().sum() == 0
    x = torch.randn(2, 5, 6)
    layer.lora_B.data.normal_()
    torch.testing.assert_close(layer(x), x @ layer.lora_A.T @ layer.lora_B.T * 2 / 3)


def test_a_rank_below_one_is_refused():
    with pytest.raises(ValueError, match="at least rank 1"):
        LoRALayer(4, 4, rank=0)


def test_lora_is_called_in_forward(pipeline, unet_inputs):
    unet = apply_lora_to_model(pipeline.unet)
    before = unet(**unet_inputs).sample
    perturb(unet)
    assert (unet(**unet_inputs).sample - before).abs().max() > 1e-4


def test_untrained_lora_changes_nothing(pipeline, other_pipeline, unet_inputs):
    unet = apply_lora_to_model(pipeline.unet, rank=8, alpha=16)
    base = other_pipeline.unet(**unet_inputs).sample
    assert torch.equal(unet(**unet_inputs).sample, base)


def test_every_linear_gets_exactly_one_lora(pipeline):
    linears = [m for m in pipeline.unet.modules() if isinstance(m, nn.Linear)]
    unet = apply_lora_to_model(pipeline.unet)
    assert unet is pipeline.unet
    assert sum(isinstance(m, LoRALayer) for m in unet.modules()) == len(linears)


def test_sd14_module_paths_give_the_known_counts(pipeline, other_pipeline):
    apply_lora_to_model(pipeline.unet, target_modules=ATTENTION)
    apply_lora_to_model(other_pipeline.unet, target_modules=ATTENTION_AND_MLP)
    assert sum(isinstance(m, LoRALayer) for m in pipeline.unet.modules()) == 128
    assert sum(isinstance(m, LoRALayer) for m in other_pipeline.unet.modules()) == 192


def test_a_second_attach_is_refused(pipeline):
    apply_lora_to_model(pipeline.unet)
    with pytest.raises(ValueError, match="already has a LoRA"):
        apply_lora_to_model(pipeline.unet)


def test_only_lora_is_trainable(pipeline):
    unet = apply_lora_to_model(pipeline.unet, target_modules=ATTENTION)
    trainable = {name for name, p in unet.named_parameters() if p.requires_grad}
    assert len(trainable) == 2 * 128
    assert all(name.rsplit(".", 1)[1] in ("lora_A", "lora_B") for name in trainable)


def test_targets_fit_whole_parts_of_a_name(pipeline):
    unet = apply_lora_to_model(pipeline.unet, target_modules=["attn2.to_q"])
    names = [n for n, m in unet.named_modules() if isinstance(m, LoRALayer)]
    assert len(names) == 16
    assert all(name.endswith("attn2.to_q.lora") for name in names)


@pytest.mark.parametrize("target", ["o_q", "q", "to_qq", "attn3.to_q"])
def test_a_target_that_fits_nothing_is_an_error_with_near_names(pipeline, target):
    before = snapshot(pipeline.unet)
    with pytest.raises(ValueError, match=f"named '{target}'"):
        apply_lora_to_model(pipeline.unet, target_modules=["to_k", target])
    assert snapshot(pipeline.unet).keys() == before.keys(), "nothing was attached"


def test_near_names_are_suggested(pipeline):
    with pytest.raises(ValueError, match=r"near names: .*\bto_out\.0\b"):
        apply_lora_to_model(pipeline.unet, target_modules=["to_out0"])


def test_a_3x3_convolution_is_not_taken_for_a_linear_layer(pipeline):
    with pytest.raises(ValueError, match="named 'conv1'"):
        apply_lora_to_model(pipeline.unet, target_modules=["conv1"])


def test_a_model_without_linear_layers_is_an_error():
    with pytest.raises(ValueError, match=r"no nn\.Linear"):
        apply_lora_to_model(nn.Conv2d(1, 1, 3))


def test_a_copy_uses_its_own_lora(pipeline, unet_inputs):
    apply_lora_to_model(pipeline.unet)
    twin = copy.deepcopy(pipeline.unet)
    before = pipeline.unet(**unet_inputs).sample
    perturb(twin)
    assert torch.equal(pipeline.unet(**unet_inputs).sample, before)
    assert not torch.equal(twin(**unet_inputs).sample, before)


def test_lora_stays_float32_beside_a_half_precision_base():
    layer = nn.Linear(4, 6).to(torch.bfloat16)
    model = apply_lora_to_model(nn.Sequential(layer))
    assert layer.lora.lora_A.dtype == torch.float32
    assert model(torch.randn(2, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_outputs_and_gradients_are_those_of_peft(pipeline, other_pipeline, unet_inputs):
    rank, alpha = 4, 6
    ours = apply_lora_to_model(pipeline.unet, rank, alpha, ATTENTION_AND_MLP)
    perturb(ours)
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(ATTENTION_AND_MLP))
    theirs = peft.get_peft_model(other_pipeline.unet, config).base_model.model
    pairs = []
    for name, layer in ours.named_modules():
        if isinstance(layer, LoRALayer):
            twin = theirs.get_submodule(name.removesuffix(".lora"))
            a, b = twin.lora_A["default"].weight, twin.lora_B["default"].weight
            a.data = layer.lora_A.data.reshape(a.shape).clone()
            b.data = layer.lora_B.data.reshape(b.shape).clone()
            pairs += [(layer.lora_A, a), (layer.lora_B, b)]
    assert len(pairs) == 2 * 192

    outputs = [model(**unet_inputs).sample for model in (ours, theirs)]
    assert (outputs[0] - outputs[1]).abs().max() < 1e-5
    for output in outputs:
        output.square().mean().backward()
    for own, other in pairs:
        assert (own.grad - other.grad.reshape(own.shape)).abs().max() < 1e-5


def test_adapter_shares_its_parameters_with_the_unet(pipeline, lora_config):
    adapter = make_lora(pipeline, lora_config)
    unet_parameters = {id(p) for p in pipeline.unet.parameters()}
    assert {id(p) for p in adapter.parameters()} <= unet_parameters
    assert len(adapter) == 128
    assert "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0" in adapter


def test_example1_adapts_the_feed_forward_layers_too(pipeline, lora_config):
    example = importlib.import_module("CONTRIBUTIONS.Example1.src.main")
    assert len(example.make_lora(pipeline, lora_config)) == 128 + 2 * 16


def test_alpha_defaults_to_the_rank(pipeline):
    adapter = make_lora(pipeline, LoraConfig(rank=8))
    assert {layer.scale for layer in adapter.children()} == {1.0}


def test_scale_zero_is_exactly_the_base(pipeline, other_pipeline, lora_config, unet_inputs):
    adapter = make_lora(pipeline, lora_config)
    perturb(pipeline.unet)
    base = other_pipeline.unet(**unet_inputs).sample
    assert not torch.equal(pipeline.unet(**unet_inputs).sample, base)
    set_lora_scale(adapter, 0.0)
    assert torch.equal(pipeline.unet(**unet_inputs).sample, base)


def test_an_adapter_that_cannot_be_scaled_is_an_error_unless_the_scale_is_one():
    foreign = nn.ModuleList([nn.Linear(2, 2)])
    set_lora_scale(foreign, 1.0)
    with pytest.raises(ValueError, match="`lora_scale`"):
        set_lora_scale(foreign, 0.5)
