"""lora.py: the correction is called, it is the right one, and nothing else moves."""

from __future__ import annotations

import copy

import peft
import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from harness import paths
from src.lora import (
    TEXT_ENCODER_TARGETS,
    LoRALayer,
    apply_lora_to_model,
    lora_layers,
    make_lora,
)
from tests.src.support import WITHOUT_GRADIENT, snapshot
from toolkit.core.settings import TARGET_PRESETS, LoraConfig
from toolkit.lora_files.layout import SD1_TEXT_ENCODER, SD1_UNET

ATTENTION = TARGET_PRESETS["attention"]


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


@pytest.fixture(scope="module")
def sd14():
    """The true Stable Diffusion 1.4 by shape alone: no number of it is in memory."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**SD1_UNET)
        text_encoder = CLIPTextModel(CLIPTextConfig(**SD1_TEXT_ENCODER))
    return unet, text_encoder


@pytest.mark.parametrize(
    ("preset", "count"), [("attention", 128), ("attention+mlp", 192), ("all", 278)]
)
def test_presets_take_the_known_number_of_layers_of_sd14(sd14, preset, count):
    unet = apply_lora_to_model(copy.deepcopy(sd14[0]), target_modules=[preset])
    assert len(lora_layers(unet)) == count


def test_the_preset_all_leaves_four_layers_of_the_unet_out(sd14):
    unet = apply_lora_to_model(copy.deepcopy(sd14[0]), target_modules=["all"])
    left_out = [
        name
        for name, module in unet.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and not hasattr(module, "lora")
    ]
    assert left_out == [
        "conv_in",
        "time_embedding.linear_1",
        "time_embedding.linear_2",
        "conv_out",
    ]


@pytest.mark.parametrize(("rank", "percent"), [(4, 28), (8, 7), (16, 0)])
def test_how_much_of_a_lora_adamw8bit_leaves_in_float32(sd14, rank, percent):
    """bitsandbytes keeps the moments of a tensor under 4,096 numbers as they are."""
    unet = apply_lora_to_model(copy.deepcopy(sd14[0]), rank, target_modules=["attention+mlp"])
    sizes = [p.numel() for layer in lora_layers(unet) for p in layer.parameters()]
    assert int(100 * sum(size for size in sizes if size < 4096) / sum(sizes)) == percent
    page = (paths.ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    assert f"{percent} % at rank {rank}" in page or not percent


def test_the_text_encoder_of_sd14_has_72_layers(sd14):
    model = apply_lora_to_model(copy.deepcopy(sd14[1]), target_modules=TEXT_ENCODER_TARGETS)
    assert len(lora_layers(model)) == 72


def test_the_text_encoder_is_adapted_only_when_asked(pipeline, other_pipeline):
    plain = make_lora(pipeline, LoraConfig())
    both = make_lora(other_pipeline, LoraConfig(train_text_encoder=True))
    assert len(plain) == 192
    assert len(both) == 192 + 2 * 6
    trained = {n for n, p in other_pipeline.text_encoder.named_parameters() if p.requires_grad}
    assert len(trained) == 2 * 12
    assert not any(p.requires_grad for p in pipeline.text_encoder.parameters())
    assert not lora_layers(pipeline.text_encoder)


def test_presets_and_endings_mix_and_no_layer_is_taken_twice(pipeline):
    apply_lora_to_model(pipeline.unet, target_modules=["attention", "to_q", "conv1"])
    assert len(lora_layers(pipeline.unet)) == 128 + 22


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


def test_a_misspelt_preset_is_an_error_with_the_right_one(pipeline):
    with pytest.raises(ValueError, match=r"near names: .*attention\+mlp"):
        apply_lora_to_model(pipeline.unet, target_modules=["atention+mlp"])


@pytest.mark.parametrize("targets", [None, []])
def test_attaching_to_nothing_is_an_error(targets):
    with pytest.raises(ValueError, match="no layer to put a LoRA beside"):
        apply_lora_to_model(nn.Sequential(nn.Conv2d(1, 1, 3)), target_modules=targets)


@pytest.mark.parametrize("options", [{"groups": 2}, {"padding": 1, "padding_mode": "reflect"}])
def test_a_convolution_that_a_lora_cannot_follow_is_refused(options):
    model = nn.Sequential(nn.Conv2d(4, 4, 3, **options))
    with pytest.raises(ValueError, match="No linear layer or convolution is named '0'"):
        apply_lora_to_model(model, target_modules=["0"])


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


def assert_same_as_peft(ours, theirs, run, count):
    """Give PEFT our factors; then outputs and gradients must be ours."""
    pairs, learning = [], []
    for layer in lora_layers(ours):
        twin = theirs.get_submodule(layer.layer_name)
        a, b = twin.lora_A["default"].weight, twin.lora_B["default"].weight
        a.data = layer.lora_A.data.reshape(a.shape).clone()
        b.data = layer.lora_B.data.reshape(b.shape).clone()
        pairs += [(layer.lora_A, a), (layer.lora_B, b)]
        if not layer.layer_name.endswith(WITHOUT_GRADIENT):
            learning += [layer.lora_A, layer.lora_B]
    assert len(pairs) == 2 * count
    outputs = [run(model) for model in (ours, theirs)]
    assert (outputs[0] - outputs[1]).abs().max() < 1e-5
    for output in outputs:
        output.square().mean().backward()
    for own, other in pairs:
        assert (own.grad - other.grad.reshape(own.shape)).abs().max() < 1e-5
    assert all(parameter.grad.abs().max() > 0 for parameter in learning)


def test_unet_outputs_and_gradients_are_those_of_peft(pipeline, other_pipeline, unet_inputs):
    # Linear, 1x1, 3x3 and strided convolutions, with and without bias.
    rank, alpha = 4, 6
    ours = apply_lora_to_model(pipeline.unet, rank, alpha, ["all"])
    perturb(ours)
    targets = list(TARGET_PRESETS["all"])
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets)
    theirs = peft.get_peft_model(other_pipeline.unet, config).base_model.model
    assert_same_as_peft(ours, theirs, lambda unet: unet(**unet_inputs).sample, 276)


def test_text_encoder_outputs_and_gradients_are_those_of_peft(pipeline, other_pipeline):
    rank, alpha = 3, 2
    ours = apply_lora_to_model(pipeline.text_encoder, rank, alpha, TEXT_ENCODER_TARGETS)
    perturb(ours)
    targets = list(TEXT_ENCODER_TARGETS)
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets)
    theirs = other_pipeline.text_encoder
    theirs.add_adapter(config)  # PEFT's layers, put in by transformers
    input_ids = torch.randint(0, 200, (2, 9), generator=torch.Generator().manual_seed(5))
    assert_same_as_peft(ours, theirs, lambda model: model(input_ids)[0], 12)


@pytest.mark.parametrize("layer", [nn.Linear(8, 8), nn.Conv2d(8, 8, 3, padding=1)])
def test_dropout_acts_in_training_alone(layer):
    model = apply_lora_to_model(nn.Sequential(layer), target_modules=["0"], dropout=0.5)
    perturb(model)
    x = torch.ones(1, 8, 8, 8)
    model.train()
    assert not torch.equal(model(x), model(x))
    model.eval()
    kept = model(x)
    assert torch.equal(model(x), kept)
    layer.lora.dropout = 0.0
    model.train()
    assert torch.equal(model(x), kept), "what is kept is scaled up, so the mean stays"


def test_dropout_of_the_configuration_reaches_every_layer(pipeline):
    adapter = make_lora(pipeline, LoraConfig(dropout=0.25, train_text_encoder=True))
    assert {layer.dropout for layer in lora_layers(adapter)} == {0.25}


def test_adapter_shares_its_parameters_with_the_unet(pipeline, lora_config):
    adapter = make_lora(pipeline, lora_config)
    unet_parameters = {id(p) for p in pipeline.unet.parameters()}
    assert {id(p) for p in adapter.parameters()} <= unet_parameters
    assert len(adapter) == 192
    assert "unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0" in adapter


def test_alpha_defaults_to_the_rank(pipeline):
    adapter = make_lora(pipeline, LoraConfig(rank=8))
    assert {layer.scale for layer in adapter.children()} == {1.0}
