"""Effective weights: whatever the adapter, base + delta computes what the live model computes."""

import copy

import peft
import pytest
import torch
from torch import nn

from src.lora import apply_lora_to_model
from tests.src.support import TEXT_WIDTH, build_pipeline
from toolkit.core.errors import DeltaError
from toolkit.deltas.probing import (
    add_delta,
    effective_delta,
    is_untouched,
    probe_conv,
    probe_linear,
    relative_error,
)
from toolkit.deltas.verify import merge_error, text_merge_error

TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]
CONVS = ["conv1", "proj_in", "downsamplers.0.conv"]


@pytest.fixture(scope="module")
def unet():
    return build_pipeline().unet


def shake(model):
    """Give every trainable parameter some value, as training would."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))


def error_of(clean, live):
    delta = effective_delta(clean, live.eval())
    assert delta
    return merge_error(
        clean, live, delta, sample_size=8, cross_attention_dim=TEXT_WIDTH, tokens=12
    ), delta


def peft_config(kind):
    return {
        "lora": lambda: peft.LoraConfig(r=4, target_modules=TARGETS),
        "lora on convolutions": lambda: peft.LoraConfig(r=4, target_modules=CONVS),
        "dora": lambda: peft.LoraConfig(r=4, target_modules=TARGETS, use_dora=True),
        "loha": lambda: peft.LoHaConfig(r=4, target_modules=[*TARGETS, "conv1"]),
        "lokr": lambda: peft.LoKrConfig(r=4, target_modules=TARGETS),
        "oft": lambda: peft.OFTConfig(r=0, oft_block_size=4, target_modules=TARGETS),
        "ia3": lambda: peft.IA3Config(target_modules=TARGETS, feedforward_modules=[]),
        "vera": lambda: peft.VeraConfig(r=4, target_modules=["to_q"]),
    }[kind]()


@pytest.mark.parametrize(
    "kind", ["lora", "lora on convolutions", "dora", "loha", "lokr", "oft", "ia3", "vera"]
)
def test_the_change_of_any_peft_adapter_is_recovered(kind, unet):
    live = copy.deepcopy(unet)
    peft.get_peft_model(live, peft_config(kind))  # replaces the layers of `live` in place
    shake(live)
    error, _ = error_of(unet, live)
    assert error < 1e-4


def test_the_reference_lora_changes_exactly_its_targets(unet):
    live = apply_lora_to_model(copy.deepcopy(unet), rank=2, alpha=4, target_modules=["attn2.to_q"])
    shake(live)
    error, delta = error_of(unet, live)
    assert error < 1e-4
    assert delta
    assert all(name.endswith("attn2.to_q.weight") for name in delta)


def test_biases_and_norms_are_recovered(unet):
    live = copy.deepcopy(unet).requires_grad_(False)
    for name, parameter in live.named_parameters():
        parameter.requires_grad_("bias" in name or "norm" in name)
    shake(live)
    error, delta = error_of(unet, live)
    assert error < 1e-4
    assert "conv_in.bias" in delta
    assert "conv_in.weight" not in delta


@pytest.mark.parametrize("kind", ["lora", "dora", "loha", "full"])
def test_a_change_of_the_text_encoder_is_recovered(kind):
    clean = build_pipeline().text_encoder
    live = copy.deepcopy(clean)
    if kind != "full":
        config = {
            "lora": lambda: peft.LoraConfig(r=4, target_modules=["q_proj", "fc1"]),
            "dora": lambda: peft.LoraConfig(r=4, target_modules=["q_proj"], use_dora=True),
            "loha": lambda: peft.LoHaConfig(r=4, target_modules=["v_proj", "fc2"]),
        }[kind]()
        peft.inject_adapter_in_model(config, live)
    shake(live)
    delta = effective_delta(clean, live.eval())
    assert delta
    assert text_merge_error(clean, live, delta, tokens=12) < 1e-4


def test_a_full_change_of_every_weight_is_recovered(unet):
    live = copy.deepcopy(unet).requires_grad_(True)
    shake(live)
    error, delta = error_of(unet, live)
    assert error < 1e-4
    assert set(delta) == {name for name, _ in unet.named_parameters()}


def test_an_untouched_model_has_no_delta(unet):
    assert effective_delta(unet, copy.deepcopy(unet)) == {}


def test_probing_reads_the_exact_weight_of_a_linear_layer():
    layer = nn.Linear(5, 7)
    found = probe_linear(layer, layer)
    torch.testing.assert_close(found.weight, layer.weight, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.bias, layer.bias, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kernel", [1, 3, (3, 1), 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_probing_reads_the_exact_kernel_of_a_convolution(kernel, stride, padding):
    layer = nn.Conv2d(3, 4, kernel, stride, padding)
    found = probe_conv(layer, layer)
    torch.testing.assert_close(found.weight, layer.weight, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.bias, layer.bias, atol=1e-6, rtol=0)


@pytest.mark.parametrize("padding", [0, 1])
def test_a_convolution_in_several_chunks_is_read_whole(padding, monkeypatch):
    monkeypatch.setattr("toolkit.deltas.probing.CHUNK", 5)
    layer = nn.Conv2d(7, 4, 3, padding=padding, bias=False)
    found = probe_conv(layer, layer)
    torch.testing.assert_close(found.weight, layer.weight, atol=1e-6, rtol=0)
    assert found.bias is None


@pytest.mark.parametrize("options", [{"groups": 2}, {"dilation": 2}, {"padding": "same"}])
def test_convolutions_that_cannot_be_probed_say_so(options):
    layer = nn.Conv2d(4, 4, 3, **options)
    with pytest.raises(DeltaError, match="cannot probe"):
        probe_conv(layer, layer)


def test_a_patched_forward_counts_as_touched():
    layer, original = nn.Linear(2, 2), nn.Linear(2, 2)
    assert is_untouched(layer, original)
    layer.forward = lambda x: x  # type: ignore[method-assign]
    assert not is_untouched(layer, original)


@pytest.mark.parametrize("layer", ["conv_in", "mid_block.attentions.0.proj_in", "to_q"])
def test_a_layer_that_is_no_longer_affine_is_named(unet, layer):
    live = copy.deepcopy(unet)
    name = next(name for name, _ in live.named_modules() if name.endswith(layer))
    live.get_submodule(name).register_forward_hook(lambda m, i, output: output + output.square())
    with pytest.raises(DeltaError, match=f"{name}' is no longer an affine map"):
        effective_delta(unet, live)


def test_a_change_outside_the_layers_shows_as_a_large_error(unet):
    live = copy.deepcopy(unet)
    live.conv_in.weight.data.mul_(1.1)
    live.mid_block.register_forward_hook(lambda module, inputs, output: output * 5)
    error, _ = error_of(unet, live)
    assert error > 1e-2


def test_a_module_that_is_gone_is_named(unet):
    live = copy.deepcopy(unet)
    del live.conv_in
    with pytest.raises(DeltaError, match="conv_in"):
        effective_delta(unet, live)


def test_a_replacement_that_takes_other_input_is_named(unet):
    live = copy.deepcopy(unet)
    live.conv_in = nn.Linear(3, 3)
    with pytest.raises(DeltaError, match="conv_in"):
        effective_delta(unet, live)


def test_adding_a_delta_leaves_the_clean_model_alone(unet):
    before = unet.conv_in.bias.clone()
    merged = add_delta(unet, {"conv_in.bias": torch.ones_like(before)})
    assert torch.equal(unet.conv_in.bias, before)
    assert torch.equal(merged.conv_in.bias, before + 1)


def test_relative_error_is_what_it_says():
    assert relative_error(torch.tensor([3.0]), torch.tensor([2.0])) == pytest.approx(0.5)


def test_a_bias_where_the_base_has_none_is_named_as_such(unet):
    live = copy.deepcopy(unet)
    name = next(name for name, _ in live.named_modules() if name.endswith("to_q"))
    live.get_submodule(name).register_forward_hook(lambda m, i, output: output + 0.5)
    with pytest.raises(DeltaError, match="has no bias in the base"):
        effective_delta(unet, live)


def test_a_parameter_of_another_shape_is_named(unet):
    live = copy.deepcopy(unet)
    live.conv_norm_out.weight = nn.Parameter(torch.ones(1))
    with pytest.raises(DeltaError, match=r"conv_norm_out\.weight"):
        effective_delta(unet, live)


def test_whatever_a_replacement_raises_is_an_artefact_error(unet):
    class Picky(nn.Module):
        def forward(self, x):
            assert x is None, "I take nothing"

    live = copy.deepcopy(unet)
    live.conv_in = Picky()
    with pytest.raises(DeltaError, match="I take nothing"):
        effective_delta(unet, live)
