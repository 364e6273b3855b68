"""inspect: counts, norms, verdicts and warnings are true."""

from __future__ import annotations

import json
import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.toolkit.lora_files.support import (
    UNET_LAYERS,
    copy_of,
    outputs,
    random_layer,
    random_lora,
    tiny_layout,
    with_update,
)
from toolkit.core.errors import HubError
from toolkit.lora_files.layout import sd1_layout
from toolkit.lora_files.memory import Lora, LoraLayer
from toolkit.lora_files.render import render
from toolkit.lora_files.report import inspect_lora
from toolkit.lora_files.write import kohya_tensors, write_lora

NAMES = (
    "unet.down_blocks.0.attentions.0.proj_in",
    "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q",
    "text_encoder.text_model.encoder.layers.0.mlp.fc1",
)


def true_size_lora(alpha=3.0):
    torch.manual_seed(0)
    layout = sd1_layout().layers
    return Lora({name: random_layer(layout[name], 2, alpha) for name in NAMES})


def warnings_of(tensors, tmp_path, metadata=None):
    save_file(tensors, tmp_path / "x.safetensors", metadata=metadata)
    return "\n".join(inspect_lora(tmp_path / "x.safetensors").warnings)


def test_a_good_file_has_no_warnings_and_true_numbers(tmp_path):
    lora = true_size_lora()
    write_lora(lora, tmp_path / "x.safetensors", dtype="fp32")
    report = inspect_lora(tmp_path / "x.safetensors")
    assert report.warnings == []
    assert (report.kind, report.form) == ("LoRA", "kohya")
    assert report.layers == {
        "text_encoder linear": 1, "unet 1x1 convolution": 1, "unet linear": 1,
    }  # fmt: skip
    assert (report.ranks, report.alphas, report.scales) == ({"2": 3}, {"3": 3}, {"1.5": 3})
    assert report.dtypes == ["F32"]
    for block, name in zip(
        ("unet.down_blocks.0", "unet.mid_block", "text_encoder"), NAMES, strict=True
    ):
        assert report.norms[block] == pytest.approx(float(lora.layers[name].delta().norm()))
    assert report.loads_in == {"ComfyUI": "yes", "A1111": "yes", "diffusers": "yes"}
    assert report.metadata["ss_network_dim"] == "2"
    text = render(report)
    assert "rank        2\n" in text
    assert json.loads(report.to_json())["scales"] == {"1.5": 3}


def test_norms_add_up_over_a_block(tmp_path):
    lora = random_lora(UNET_LAYERS)
    write_lora(lora, tmp_path / "x.safetensors", dtype="fp32")
    norms = inspect_lora(tmp_path / "x.safetensors", tiny_layout()).norms
    total = math.sqrt(sum(float(layer.delta().norm()) ** 2 for layer in lora.layers.values()))
    assert math.sqrt(sum(size**2 for size in norms.values())) == pytest.approx(total, rel=1e-5)
    assert "unet.up_blocks.0" in norms
    assert "unet.conv_in" in norms


def test_diffusers_files_are_partly_unknown_elsewhere(tmp_path):
    write_lora(true_size_lora(), tmp_path / "x.safetensors", "diffusers")
    report = inspect_lora(tmp_path / "x.safetensors")
    # ComfyUI knows proj_in and the text encoder with dots, and not attention; A1111 nothing.
    assert report.loads_in["ComfyUI"] == "partly: it ignores 2 of 6 tensors"
    assert report.loads_in["A1111"].startswith("no")
    assert report.warnings == []
    tensors = load_file(tmp_path / "x.safetensors")
    # The same tensors without our note, as diffusers' own scripts save them.
    assert "does not say its alpha" in warnings_of(tensors, tmp_path)
    write_lora(true_size_lora(), tmp_path / "y.safetensors", "diffusers", alpha="metadata")
    assert inspect_lora(tmp_path / "y.safetensors").warnings == []


def test_peft_folders_load_in_none_of_the_programs(tmp_path):
    write_lora(true_size_lora(), tmp_path / "out", "peft")
    report = inspect_lora(tmp_path / "out")
    assert all(verdict.startswith("no") for verdict in report.loads_in.values())
    assert "PEFT's own format" in report.warnings[0]


def with_alphas(choose):
    lora = random_lora()
    return Lora({n: LoraLayer(x.down, x.up, choose(n)) for n, x in lora.layers.items()})


@pytest.mark.filterwarnings("ignore:The following alpha_pattern keys")
@pytest.mark.parametrize(
    ("choose", "right"),
    [
        (lambda name: 2.0, True),
        # Each model its own alpha, or only layers outside attention another one: read rightly.
        (lambda name: 2.0 if name.startswith("unet.") else 5.0, True),
        (lambda name: 5.0 if "time_embedding" in name else 2.0, True),
        (lambda name: 5.0 if ".attn2." in name else 2.0, False),
        (lambda name: 5.0 if name.endswith("fc1") else 2.0, False),
    ],
)
def test_the_verdict_on_alphas_that_differ_is_what_diffusers_does(
    choose, right, pristine, tmp_path
):
    lora = with_alphas(choose)
    # Not through write_lora, which gives each model one alpha for this very reason.
    save_file(kohya_tensors(lora, "fp32"), tmp_path / "x.safetensors")
    path = tmp_path / "x.safetensors"
    verdict = inspect_lora(path, tiny_layout()).loads_in["diffusers"]
    assert verdict == "yes" if right else "wrong strength" in verdict
    loaded = copy_of(pristine)
    loaded.load_lora_weights(tmp_path, weight_name="x.safetensors")
    pairs = zip(outputs(loaded), outputs(with_update(pristine, lora)), strict=True)
    error = max(float((one - other).abs().max()) for one, other in pairs)
    assert (error < 1e-4) == right, error


def test_each_fault_has_its_warning(tmp_path):
    good = kohya_tensors(true_size_lora(), "fp32")
    up = next(k for k in good if "mid_block" in k and "up.weight" in k)
    idle = {k: torch.zeros_like(t) if "lora_up" in k else t for k, t in good.items()}
    broken = {**good, up: torch.full_like(good[up], float("nan"))}
    silent = {k: t for k, t in good.items() if not k.endswith("alpha")}
    nameless = {k.replace("_text_model_", "_"): t for k, t in good.items()}
    half = {k: t.to(torch.bfloat16) for k, t in good.items()}
    said = {"ss_v2": "False"}
    assert "all layers do nothing" in warnings_of(idle, tmp_path, said)
    assert "1 layers do nothing" in warnings_of(
        {**good, up: torch.zeros_like(good[up])}, tmp_path, said
    )
    assert "NaN or infinity in 1 layers" in warnings_of(broken, tmp_path, said)
    assert "does not say its alpha" in warnings_of(silent, tmp_path, said)
    assert "lack `text_model`" in warnings_of(nameless, tmp_path, said)
    assert "unknown version" in warnings_of(good, tmp_path)
    assert "bfloat16" in warnings_of(half, tmp_path, said)
    assert "changed since" in warnings_of(good, tmp_path, {**said, "sshs_model_hash": "0" * 64})
    assert warnings_of(good, tmp_path, said) == ""
    write_lora(random_lora(), tmp_path / "tiny.safetensors")
    assert "another base" in "\n".join(inspect_lora(tmp_path / "tiny.safetensors").warnings)
    fits = inspect_lora(tmp_path / "tiny.safetensors", tiny_layout())
    assert fits.warnings == []


def test_a_broken_file_still_gives_valid_json(tmp_path):
    lora = true_size_lora()
    tensors = kohya_tensors(lora, "fp32")
    key = next(k for k in tensors if "lora_up" in k)
    save_file({**tensors, key: tensors[key] * float("inf")}, tmp_path / "x.safetensors")
    assert None in json.loads(inspect_lora(tmp_path / "x.safetensors").to_json())["norms"].values()


@pytest.mark.parametrize(
    ("key", "kind"),
    [("hada_w1_a", "LoHa"), ("lokr_w1", "LoKr"), ("dora_scale", "DoRA"), ("oft_blocks", "OFT")],
)
def test_other_kinds_are_named(key, kind, tmp_path):
    save_file({f"lora_unet_conv_in.{key}": torch.ones(2, 2)}, tmp_path / "x.safetensors")
    report = inspect_lora(tmp_path / "x.safetensors")
    assert report.kind == kind
    assert f"This is {kind}" in report.warnings[0]
    assert kind in render(report)


def test_a_folder_without_a_lora_is_refused(tmp_path):
    with pytest.raises(HubError, match="no adapter_config"):
        inspect_lora(tmp_path)


def test_scale_zero_counts_as_doing_nothing(tmp_path):
    layer = LoraLayer(torch.ones(1, 320, 1, 1), torch.ones(320, 1, 1, 1), 0.0)
    write_lora(Lora({NAMES[0]: layer}), tmp_path / "x.safetensors")
    assert "do nothing" in "\n".join(inspect_lora(tmp_path / "x.safetensors").warnings)
