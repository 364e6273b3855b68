"""Names: the true configuration of SD 1.4, and what the other programs call its layers."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from tests.toolkit.lora_files.support import TINY_UNET, tiny_layout
from toolkit.core.errors import HubError
from toolkit.lora_files.layout import (
    SD1_TEXT_ENCODER,
    SD1_UNET,
    read_layout,
    sd1_layout,
    unet_layers,
)
from toolkit.lora_files.ldm import unet_by_ldm_name
from toolkit.lora_files.names import diffusers_name, guess_format, kohya_name, parse_key, peft_name
from toolkit.lora_files.programs import accepted_by_a1111, accepted_by_comfyui

PIECES = ("lora_down.weight", "lora_up.weight", "alpha")
ATTENTION = "unet.mid_block.attentions.0.transformer_blocks.0.attn1"
TEXT = "text_encoder.text_model.encoder.layers.0"
FLAT = "text_encoder.encoder.layers.0"


def shapes_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(module.weight.shape)
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, nn.Conv2d))
    }


def layout_shapes(layers) -> dict[str, tuple[int, ...]]:
    return {
        name: (s.out_features, s.in_features, *((s.kernel, s.kernel) if s.is_conv else ()))
        for name, s in layers.items()
    }


@pytest.fixture(scope="module")
def sd14():
    """SD 1.4 from its configuration; on the meta device it weighs nothing."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=64, attention_head_dim=8, **SD1_UNET)
        text = CLIPTextModel(
            CLIPTextConfig(num_attention_heads=12, vocab_size=49408, **SD1_TEXT_ENCODER)
        )
    return unet, text


def transformer_layers(unet: nn.Module) -> list[str]:
    """The linear layers and 1x1 convolutions in Transformer2DModels: kohya's and our default."""
    return [
        f"{name}.{inner}"
        for name, module in unet.named_modules()
        if type(module).__name__ == "Transformer2DModel"
        for inner, layer in module.named_modules()
        if isinstance(layer, (nn.Linear, nn.Conv2d))
    ]


def test_the_computed_layout_is_the_true_one_by_name_and_shape(sd14):
    unet, text = sd14
    found = layout_shapes(sd1_layout().layers)
    wanted = {f"unet.{n}": s for n, s in shapes_of(unet).items()}
    for name, shape in shapes_of(text).items():
        wanted[f"text_encoder.text_model.{name.removeprefix('text_model.')}"] = shape
    assert found == wanted


@pytest.mark.parametrize(
    "config",
    [
        TINY_UNET,
        {
            **TINY_UNET,
            "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
            "block_out_channels": [32, 64],
            "layers_per_block": 1,
            "use_linear_projection": True,
        },
        {**TINY_UNET, "block_out_channels": [32, 64, 64, 96], "layers_per_block": 3},
    ],
)
def test_the_layout_follows_any_configuration_of_this_kind(config):
    with torch.device("meta"):
        unet = UNet2DConditionModel(norm_num_groups=4, attention_head_dim=2, **config)
    assert layout_shapes(unet_layers(config)) == shapes_of(unet)


def test_the_counts_are_192_264_278_and_792(sd14):
    unet, _ = sd14
    layout = sd1_layout().layers
    inside = {f"unet.{name}" for name in transformer_layers(unet)}
    text = {name for name in layout if name.startswith("text_encoder.")}
    outer = {"unet.conv_in", "unet.conv_out"}
    outer |= {"unet.time_embedding.linear_1", "unet.time_embedding.linear_2"}
    resnets = {name for name in layout if name.startswith("unet.")} - outer
    assert (len(inside), len(inside | text), len(resnets)) == (192, 264, 278)
    assert len([f"{kohya_name(n)}.{p}" for n in inside | text for p in PIECES]) == 792
    assert sum(layout[name].is_conv for name in inside) == 32
    assert len(layout) == 282 + 72


@pytest.mark.parametrize("piece", PIECES)
def test_every_kohya_key_is_known_everywhere_and_maps_back(piece):
    layout = sd1_layout()
    for name in layout.layers:
        key = f"{kohya_name(name)}.{piece}"
        assert accepted_by_comfyui(key), key
        assert accepted_by_a1111(key), key
        assert parse_key(key, "kohya", layout).layer == name


def test_every_diffusers_and_peft_key_maps_back():
    layout = sd1_layout()
    for name in layout.layers:
        part = name.partition(".")[0]
        assert parse_key(f"{diffusers_name(name)}.lora_A.weight", "diffusers", layout) == (
            name,
            "down",
        )
        for flat in (True, False):
            key = f"{peft_name(name, flat_text_encoder=flat)}.lora_B.weight"
            assert parse_key(key, "peft", layout, peft_part=part) == (name, "up")


def test_the_original_names_are_those_of_diffusers_own_converter(sd14):
    unet, _ = sd14
    names = unet_by_ldm_name()
    assert sorted(names.values()) == sorted(shapes_of(unet))
    marks = {name: torch.tensor(float(i)) for i, name in enumerate(names)}
    checkpoint = {
        f"model.diffusion_model.{name}.{parameter}": mark
        for name, mark in marks.items()
        for parameter in ("weight", "bias")
    }
    converted = convert_ldm_unet_checkpoint(checkpoint, {**SD1_UNET, "addition_embed_type": None})
    for original, name in names.items():
        assert converted[f"{name}.weight"] == marks[original], name


@pytest.mark.parametrize(
    ("key", "comfyui", "a1111"),
    [
        # What diffusers' own example scripts write: ComfyUI says "lora key not loaded".
        (f"{ATTENTION}.to_q.lora.down.weight", 0, 0),
        (f"{ATTENTION}.to_q.lora_A.weight", 0, 0),
        (
            f"{ATTENTION}.processor.to_q_lora.up.weight",
            1,
            0,
        ),
        (
            f"{ATTENTION}.processor.to_out_lora.up.weight",
            1,
            0,
        ),
        ("lora_te_text_model_encoder_layers_11_mlp_fc1.alpha", 1, 1),
        ("lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_up.weight", 1, 1),
        # The trap of transformers 5.6: without `text_model` nobody but diffusers knows the layer.
        ("lora_te_encoder_layers_0_self_attn_q_proj.lora_up.weight", 0, 0),
        ("lora_te_text_model_encoder_layers_12_mlp_fc1.alpha", 0, 0),
        ("lora_unet_input_blocks_1_1_proj_in.lora_up.weight", 1, 1),
        ("lora_unet_down_blocks_3_attentions_0_proj_in.lora_up.weight", 0, 0),
        ("base_model.model.conv_in.lora_A.weight", 0, 0),
        ("lora_unet_conv_in.nonsense", 0, 0),
    ],
)
def test_the_other_programs_rules_are_theirs(key, comfyui, a1111):
    assert (accepted_by_comfyui(key), accepted_by_a1111(key)) == (bool(comfyui), bool(a1111))


@pytest.mark.parametrize(
    ("key", "form", "layer"),
    [
        ("lora_te_encoder_layers_0_mlp_fc1.alpha", "kohya", f"{TEXT}.mlp.fc1"),
        ("lora_te1_text_model_encoder_layers_0_mlp_fc1.alpha", "kohya", f"{TEXT}.mlp.fc1"),
        ("lora_unet_output_blocks_2_1_conv.alpha", "kohya", "unet.up_blocks.0.upsamplers.0.conv"),
        (f"{ATTENTION}.processor.to_out_lora.up.weight", "diffusers", f"{ATTENTION}.to_out.0"),
        (f"{TEXT}.self_attn.to_k_lora.down.weight", "diffusers", f"{TEXT}.self_attn.k_proj"),
        (
            f"{FLAT}.self_attn.k_proj.lora_linear_layer.down.weight",
            "diffusers",
            f"{TEXT}.self_attn.k_proj",
        ),
        (
            "lycoris_mid_block_attentions_0_proj_in.alpha",
            "kohya",
            "unet.mid_block.attentions.0.proj_in",
        ),
        ("lycoris_text_model_encoder_layers_0_mlp_fc1.alpha", "kohya", f"{TEXT}.mlp.fc1"),
        ("conv_in.lora_A.weight", "diffusers", "unet.conv_in"),
        (f"{ATTENTION}.to_out.0.lora_B.weight"[5:], "diffusers", f"{ATTENTION}.to_out.0"),
        (f"{ATTENTION}.processor.to_q_lora.up.weight"[5:], "diffusers", f"{ATTENTION}.to_q"),
        (f"{ATTENTION}.to_q.alpha", "diffusers", f"{ATTENTION}.to_q"),
        (
            "diffusion_model.middle_block.1.proj_in.lora_up.weight",
            "comfyui",
            "unet.mid_block.attentions.0.proj_in",
        ),
        ("diffusion_model.out.2.lora_down.weight", "comfyui", "unet.conv_out"),
        ("out.2.lora_A.weight", "comfyui", "unet.conv_out"),
        (
            "input_blocks.1.1.proj_in.alpha",
            "comfyui",
            "unet.down_blocks.0.attentions.0.proj_in",
        ),
        (
            "text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1.lora_up.weight",
            "comfyui",
            f"{TEXT}.mlp.fc1",
        ),
    ],
)
def test_other_spellings_are_understood(key, form, layer):
    assert parse_key(key, form, sd1_layout()).layer == layer


@pytest.mark.parametrize(
    ("key", "form", "word"),
    [
        ("lora_unet_conv_in.dora_scale", "kohya", "DoRA"),
        ("unet.conv_in.lora_magnitude_vector.weight", "diffusers", "DoRA"),
        ("lora_unet_conv_in.hada_w1_a", "kohya", "LoHa"),
        ("lora_unet_conv_in.lokr_w1", "kohya", "LoKr"),
        ("lora_unet_conv_in.lora_mid.weight", "kohya", "lora_mid"),
        ("lora_unet_conv_in.diff", "kohya", "full difference"),
        ("lora_unet_conv_in.diff_b", "kohya", "bias"),
        ("lora_unet_conv_in.w_norm", "kohya", "norm"),
        ("lora_unet_conv_in.oft_blocks", "kohya", "OFT"),
        ("lora_unet_conv_in.a1.weight", "kohya", "GLoRA"),
        ("unet.conv_in.lora_B.bias", "diffusers", "bias"),
        ("lora_unet_conv_in.lambda_layer", "kohya", "T-LoRA"),
        ("lora_unet_conv_in.p_layer.weight", "kohya", "T-LoRA"),
        ("lycoris_nowhere.alpha", "kohya", "no layer"),
        ("lora_te2_text_model_encoder_layers_0_mlp_fc1.alpha", "kohya", "SDXL"),
        ("lora_unet_nowhere.alpha", "kohya", "no layer"),
        ("unet.nowhere.lora_A.weight", "diffusers", "no layer"),
        (
            "unet.down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q.lora_A.weight",
            "diffusers",
            "SDXL",
        ),
        ("lora_te_text_model_encoder_layers_12_mlp_fc1.alpha", "kohya", r"2\.x"),
        ("diffusion_model.double_blocks.0.img_attn.qkv.lora_A.weight", "comfyui", "Flux"),
        ("text_encoders.clip_g.transformer.text_model.lora_up.weight", "comfyui", "means nothing"),
        ("base_model.model.conv_in.alpha", "peft", "means nothing"),
        ("other.conv_in.lora_A.weight", "diffusers", "means nothing"),
        ("lora_unet_conv_in", "kohya", "means nothing"),
        ("", "peft", "means nothing"),
    ],
)
def test_what_is_not_a_plain_lora_is_refused_by_name(key, form, word):
    with pytest.raises(HubError, match=word):
        parse_key(key, form, sd1_layout())


@pytest.mark.parametrize(
    ("key", "form"),
    [
        ("lycoris_conv_in.lora_up.weight", "kohya"),
        ("conv_in.lora_B.weight", "diffusers"),
        (
            "mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.up.weight",
            "diffusers",
        ),
        ("diffusion_model.out.2.lora_up.weight", "comfyui"),
        ("output_blocks.2.1.conv.lora_A.weight", "comfyui"),
        ("time_embed.0.lora_B.weight", "comfyui"),
        ("text_encoders.clip_l.transformer.x.lora_up.weight", "comfyui"),
    ],
)
def test_the_format_is_seen_without_a_prefix_too(key, form):
    assert guess_format([key]) == form


@pytest.mark.parametrize(
    "key",
    [
        "conv_in.weight",
        "diffusion_model.out.2.weight",
        "down_blocks.0.resnets.0.conv1.bias",
        "input_blocks.0.0.weight",
    ],
)
def test_whole_models_are_no_lora(key):
    with pytest.raises(HubError, match="no LoRA of Stable"):
        guess_format([key])


def test_other_models_are_no_lora_of_sd_1x():
    with pytest.raises(HubError, match="transformer"):
        guess_format(["transformer.blocks.0.lora_A.weight"])


@pytest.mark.parametrize(
    "change",
    [
        {"down_block_types": ["AttnDownBlock2D"] + ["DownBlock2D"] * 3},
        {"addition_embed_type": "text_time"},
        {"transformer_layers_per_block": [1, 2, 10, 10]},
        {"layers_per_block": [2, 2, 2, 2]},
        {"mid_block_type": "UNetMidBlock2D"},
    ],
)
def test_a_unet_of_another_kind_is_refused(change):
    with pytest.raises(HubError):
        unet_layers({**TINY_UNET, **change})


def test_a_saved_base_model_gives_its_layout(pristine, tmp_path):
    pristine.unet.save_config(tmp_path / "unet")
    pristine.text_encoder.config.save_pretrained(tmp_path / "text_encoder")
    assert read_layout(tmp_path).layers == tiny_layout().layers


@pytest.mark.parametrize("text", ["", "[]", '{"in_channels": 4}', '{"block_out_channels": [1]}'])
def test_a_base_model_without_a_useful_configuration_is_refused(text, tmp_path):
    for part in ("unet", "text_encoder"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(HubError, match="config"):
        read_layout(tmp_path)
