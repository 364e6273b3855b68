"""Reading and writing: what goes in comes out, here, in diffusers and in PEFT."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.toolkit.lora_files.support import (
    ALL_LAYERS,
    TEXT_LAYERS,
    UNET_LAYERS,
    adapt_with_peft,
    assert_same_update,
    copy_of,
    outputs,
    random_lora,
    with_update,
)
from toolkit.core.errors import HubError
from toolkit.lora_files.layout import sd1_layout
from toolkit.lora_files.memory import Lora, LoraLayer
from toolkit.lora_files.metadata import pack
from toolkit.lora_files.names import kohya_name
from toolkit.lora_files.programs import accepted_by_a1111, accepted_by_comfyui
from toolkit.lora_files.read import read_lora
from toolkit.lora_files.write import kohya_tensors, write_lora

WAYS = [("kohya", "fold"), ("diffusers", "fold"), ("diffusers", "metadata"), ("peft", "fold")]


def path_for(folder, form):
    return folder / (form if form == "peft" else f"{form}.safetensors")


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(("first", "first_alpha"), WAYS)
@pytest.mark.parametrize(("second", "second_alpha"), WAYS)
def test_any_two_formats_in_a_row_keep_the_update(
    first, first_alpha, second, second_alpha, mixed, tmp_path
):
    lora = random_lora(mixed=mixed)
    one, two = path_for(tmp_path / "1", first), path_for(tmp_path / "2", second)
    write_lora(lora, one, first, dtype="fp32", alpha=first_alpha)
    write_lora(read_lora(one), two, second, dtype="fp32", alpha=second_alpha)
    assert_same_update(read_lora(two), lora)


@pytest.mark.parametrize("form", ["kohya", "peft"])
def test_formats_that_hold_alpha_keep_factors_and_alpha_bit_for_bit(form, tmp_path):
    lora = random_lora(mixed=form == "peft")
    path = path_for(tmp_path, form)
    write_lora(lora, path, form, dtype="fp32")
    found = read_lora(path)
    assert found.alpha_stated
    for name, layer in lora.layers.items():
        assert torch.equal(found.layers[name].down, layer.down)
        assert torch.equal(found.layers[name].up, layer.up)
        assert found.layers[name].alpha == layer.alpha


def test_kohya_files_have_one_alpha_for_each_model(tmp_path):
    # Where they differ, diffusers 0.42.1 loads the attention layers at the wrong strength.
    lora = random_lora(mixed=True)
    assert len(lora.alphas()) == 2
    path = tmp_path / "x.safetensors"
    write_lora(lora, path, dtype="fp32")
    found = read_lora(path)
    for names in (UNET_LAYERS, TEXT_LAYERS):
        assert len({found.layers[name].alpha for name in names}) == 1
    assert_same_update(found, lora)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(("form", "alpha"), WAYS[:3])
def test_diffusers_loads_it_as_the_same_model(form, alpha, mixed, pristine, tmp_path):
    lora = random_lora(mixed=mixed)
    write_lora(lora, tmp_path / "x.safetensors", form, dtype="fp32", alpha=alpha)
    loaded = copy_of(pristine)
    loaded.load_lora_weights(tmp_path, weight_name="x.safetensors")
    wanted, found = outputs(with_update(pristine, lora)), outputs(loaded)
    plain = outputs(pristine)
    for one, other, base in zip(found, wanted, plain, strict=True):
        assert (one - other).abs().max() < 1e-4
        assert (one - base).abs().max() > 1e-2


def test_float16_stays_near(pristine, lora, tmp_path):
    write_lora(lora, tmp_path / "x.safetensors")
    loaded = copy_of(pristine)
    loaded.load_lora_weights(tmp_path, weight_name="x.safetensors")
    for one, other in zip(outputs(loaded), outputs(with_update(pristine, lora)), strict=True):
        assert (one - other).abs().max() < 5e-3


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_peft_loads_the_folder_as_the_same_model(part, pristine, tmp_path):
    lora = random_lora(mixed=True)
    write_lora(lora, tmp_path / "out", "peft", dtype="fp32")
    loaded, wanted = copy_of(pristine), with_update(pristine, lora)
    with warnings.catch_warnings():
        # PEFT reports keys that it did not find as a warning: here that is an error.
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")
        model = PeftModel.from_pretrained(getattr(loaded, part), tmp_path / "out" / part)
    setattr(loaded, part, model.base_model.model)
    index = 0 if part == "unet" else 1
    assert (outputs(loaded)[index] - outputs(wanted)[index]).abs().max() < 1e-4


def test_what_diffusers_saves_is_read_as_what_peft_computes(pristine, tmp_path):
    trained = copy_of(pristine)
    adapt_with_peft(trained, rank=4, alpha=6.0)
    trained.save_lora_weights(
        tmp_path,
        unet_lora_layers=get_peft_model_state_dict(trained.unet, adapter_name="default"),
        text_encoder_lora_layers=get_peft_model_state_dict(
            trained.text_encoder, adapter_name="default"
        ),
        unet_lora_adapter_metadata=config_of(trained.unet),
        text_encoder_lora_adapter_metadata=config_of(trained.text_encoder),
    )
    lora = read_lora(tmp_path)
    assert lora.alpha_stated
    assert len(lora.layers) == len(ALL_LAYERS)
    for one, other in zip(outputs(with_update(pristine, lora)), outputs(trained), strict=True):
        assert (one - other).abs().max() < 1e-4


def config_of(model):
    config = model.peft_config["default"].to_dict()
    return {k: sorted(v) if isinstance(v, set) else v for k, v in config.items()}


def test_without_metadata_diffusers_files_are_read_as_diffusers_reads_them(pristine, tmp_path):
    trained = copy_of(pristine)
    adapt_with_peft(trained, rank=4, alpha=6.0)
    trained.save_lora_weights(
        tmp_path,
        unet_lora_layers=get_peft_model_state_dict(trained.unet, adapter_name="default"),
    )
    lora = read_lora(tmp_path)
    assert not lora.alpha_stated
    loaded = copy_of(pristine)
    loaded.load_lora_weights(tmp_path)
    assert (outputs(with_update(pristine, lora))[0] - outputs(loaded)[0]).abs().max() < 1e-4


@pytest.mark.parametrize("rslora", [False, True])
def test_what_peft_saves_is_read_as_what_peft_computes(rslora, pristine, tmp_path):
    trained = copy_of(pristine)
    config = LoraConfig(
        r=4,
        lora_alpha=6,
        use_rslora=rslora,
        init_lora_weights=False,
        target_modules=[name.removeprefix("unet.") for name in UNET_LAYERS],
        rank_pattern={"conv_in": 2, "ff.net.2": 3},
        # Expressions of PEFT's users: an escaped dot, a beginning and an end.
        alpha_pattern={"to_k": 5, r"up_blocks\.0\.upsamplers\.0\.conv$": 1, "^conv_out": 7},
    )
    model = get_peft_model(trained.unet, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(tmp_path)
    lora = read_lora(tmp_path)
    found, wanted = outputs(with_update(pristine, lora))[0], outputs(trained)[0]
    assert (found - wanted).abs().max() < 1e-4
    assert {name: layer.rank for name, layer in lora.layers.items()}["unet.conv_in"] == 2


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")
def test_a_peft_folder_of_the_text_encoder_alone_is_recognised(pristine, tmp_path):
    trained = copy_of(pristine)
    targets = ["q_proj", "fc1"]
    config = LoraConfig(r=2, lora_alpha=3, target_modules=targets, init_lora_weights=False)
    get_peft_model(trained.text_encoder, config).save_pretrained(tmp_path)
    lora = read_lora(tmp_path)
    assert all(name.startswith("text_encoder.text_model.") for name in lora.layers)
    assert len(lora.layers) == 4


def test_kohya_without_alpha_counts_as_alpha_equal_rank(lora, tmp_path):
    tensors = {k: t for k, t in kohya_tensors(lora, "fp32").items() if not k.endswith("alpha")}
    save_file(tensors, tmp_path / "x.safetensors")
    found = read_lora(tmp_path / "x.safetensors")
    assert not found.alpha_stated
    assert {layer.scale for layer in found.layers.values()} == {1.0}


@pytest.mark.parametrize(
    ("old", "new"),
    [("lora_te_", "lora_te1_"), ("lora_te_text_model_", "lora_te_")],
)
def test_other_text_encoder_prefixes_come_out_canonical(old, new, lora, tmp_path):
    tensors = {k.replace(old, new): t for k, t in kohya_tensors(lora, "fp32").items()}
    save_file(tensors, tmp_path / "x.safetensors")
    found = read_lora(tmp_path / "x.safetensors")
    assert_same_update(found, lora)
    write_lora(found, tmp_path / "y.safetensors")
    keys = load_file(tmp_path / "y.safetensors")
    assert all(accepted_by_comfyui(key) and accepted_by_a1111(key) for key in keys)


def test_factors_of_1x1_convolutions_saved_as_matrices_become_4d(lora, tmp_path):
    tensors = kohya_tensors(lora, "fp32")
    flat = {
        k: t.flatten(1) if k.endswith("weight") and t.shape[2:] == (1, 1) else t
        for k, t in tensors.items()
    }
    assert any(t.shape != tensors[k].shape for k, t in flat.items())
    save_file({k: t.contiguous() for k, t in flat.items()}, tmp_path / "x.safetensors")
    assert_same_update(read_lora(tmp_path / "x.safetensors"), lora)


def test_linear_factors_with_two_ones_behind_become_matrices(tmp_path):
    lora = random_lora(TEXT_LAYERS)
    tensors = kohya_tensors(lora, "fp32")
    wide = {k: t[:, :, None, None] if t.ndim == 2 else t for k, t in tensors.items()}
    save_file(wide, tmp_path / "x.safetensors")
    assert_same_update(read_lora(tmp_path / "x.safetensors"), lora)


def test_1x1_convolutions_are_4d_in_every_format(lora, tmp_path):
    name = "unet.down_blocks.0.attentions.0.proj_in"
    for form, key in (
        ("kohya", f"{kohya_name(name)}.lora_down.weight"),
        ("diffusers", f"{name}.lora_A.weight"),
    ):
        write_lora(lora, tmp_path / f"{form}.safetensors", form)
        assert load_file(tmp_path / f"{form}.safetensors")[key].shape == (3, 16, 1, 1)


def test_a_true_size_file_has_792_tensors_and_the_known_size(tmp_path):
    layout = sd1_layout().layers
    # Expanded zeros: the shapes of rank 4 on all 264 default layers without the arithmetic.
    chosen = [n for n in layout if ".attentions." in n or n.startswith("text_encoder.")]
    lora = Lora({name: zeros(layout[name], 4) for name in chosen})
    tensors = kohya_tensors(lora)
    assert len(tensors) == 792
    convs = [k for k, t in tensors.items() if t.ndim == 4 and "lora_down" in k]
    assert len(convs) == 32
    # 4.7 MB at rank 4 in float16, as published for this set of layers.
    assert sum(t.numel() * t.element_size() for t in tensors.values()) / 1e6 == pytest.approx(
        4.7, abs=0.1
    )


def zeros(shape, rank):
    kernel = (shape.kernel, shape.kernel) if shape.is_conv else ()
    ones = (1, 1) if shape.is_conv else ()
    return LoraLayer(
        torch.zeros(rank, shape.in_features, *kernel),
        torch.zeros(shape.out_features, rank, *ones),
        float(rank),
    )


def test_the_same_lora_is_the_same_file_in_another_process(tmp_path):
    code = (
        "import sys; from pathlib import Path; from toolkit.lora_files.write import write_lora; "
        "from tests.toolkit.lora_files.support import random_lora; "
        "write_lora(random_lora(), Path(sys.argv[1], 'x.safetensors')); "
        "write_lora(random_lora(), Path(sys.argv[1], 'y.safetensors'), 'diffusers')"
    )
    here = tmp_path / "here"
    write_lora(random_lora(), here / "x.safetensors")
    write_lora(random_lora(), here / "y.safetensors", "diffusers")
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    for name in ("x.safetensors", "y.safetensors"):
        assert (tmp_path / name).read_bytes() == (here / name).read_bytes()
    # And no temporary file is left.
    assert sorted(path.name for path in here.iterdir()) == ["x.safetensors", "y.safetensors"]


def test_an_old_file_survives_a_failed_write(lora, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"old")
    bad = Lora({**lora.layers, UNET_LAYERS[0]: scaled_up(lora.layers[UNET_LAYERS[0]], 1e9)})
    with pytest.raises(HubError, match=r"too large for fp16[\s\S]*fp32"):
        write_lora(bad, path)
    assert path.read_bytes() == b"old"
    write_lora(bad, path, dtype="fp32")
    nan = Lora({UNET_LAYERS[0]: scaled_up(lora.layers[UNET_LAYERS[0]], float("nan"))})
    with pytest.raises(HubError, match="NaN"):
        write_lora(nan, path, dtype="fp32")


def scaled_up(layer, factor):
    return LoraLayer(layer.down * factor, layer.up, layer.alpha)


def test_a_peft_folder_is_never_written_over(lora, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(HubError, match="exists"):
        write_lora(lora, tmp_path / "out", "peft")


def test_an_empty_lora_and_a_folder_as_target_are_refused(lora, tmp_path):
    with pytest.raises(HubError, match="empty"):
        write_lora(Lora({}), tmp_path / "x.safetensors")
    with pytest.raises(HubError, match="folder"):
        write_lora(lora, tmp_path)


def test_metadata_is_kept_and_kohyas_entries_are_true(tmp_path):
    lora = random_lora(rank=3, alpha=2.0)
    write_lora(lora, tmp_path / "robot.safetensors")
    with safe_open(tmp_path / "robot.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert metadata["ss_seed"] == "7"
    assert metadata["hub.name"] == "tiny"
    assert metadata["ss_network_dim"] == "3"
    assert metadata["ss_network_alpha"] == "2.0"
    assert metadata["ss_output_name"] == metadata["modelspec.title"] == "robot"
    assert json.loads(metadata["ss_network_args"]) == {"conv_dim": "3", "conv_alpha": "2.0"}
    assert metadata["modelspec.sai_model_spec"] == "1.0.1"
    assert metadata["modelspec.architecture"] == "stable-diffusion-v1/lora"
    assert metadata["ss_v2"] == "False"
    assert metadata["ss_base_model_version"] == "sd_v1"
    write_lora(random_lora(mixed=True), tmp_path / "mixed.safetensors")
    assert read_lora(tmp_path / "mixed.safetensors").metadata["ss_network_dim"] == "Dynamic"


def test_packing_sorts_the_header_and_changes_nothing_else():
    tensors = {"b": torch.arange(3.0), "a": torch.ones(2, dtype=torch.float16)}
    metadata = {"z": "ä\n\x01", "a": "1"}
    file = pack(tensors, metadata)
    length = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + length])
    assert length % 8 == 0
    assert list(header) == sorted(header)
    assert header["__metadata__"] == metadata
