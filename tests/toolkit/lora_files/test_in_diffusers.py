"""What `inspect` says of diffusers is what diffusers does with the file."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from tests.toolkit.lora_files.support import (
    assert_same_update,
    copy_of,
    outputs,
    random_lora,
    tiny_layout,
    with_update,
)
from toolkit.core.errors import HubError
from toolkit.lora_files.ldm import ldm_name
from toolkit.lora_files.memory import Lora
from toolkit.lora_files.names import kohya_name
from toolkit.lora_files.programs import accepted_by_a1111, accepted_by_comfyui
from toolkit.lora_files.read import read_lora
from toolkit.lora_files.report import inspect_lora
from toolkit.lora_files.write import kohya_tensors, write_lora

LORA = random_lora(rank=3, alpha=3.0)
AB = ("lora_A.weight", "lora_B.weight")
DOTS = ("lora.down.weight", "lora.up.weight")
KOHYA = ("lora_down.weight", "lora_up.weight")
LINEAR = ("lora_linear_layer.down.weight", "lora_linear_layer.up.weight")


def file_of(rename, ends=KOHYA, alpha=True, change=lambda down, up: (down, up)):
    """The LoRA's tensors under other names; layers renamed to None are left out."""
    tensors = {}
    for name, layer in LORA.layers.items():
        key = rename(name)
        if key is None:
            continue
        pair = change(layer.down, layer.up)
        tensors |= {f"{key}.{end}": t.contiguous() for end, t in zip(ends, pair, strict=True)}
        if alpha:
            tensors[f"{key}.alpha"] = torch.tensor(layer.alpha)
    return tensors


def flat(name):
    return name.replace(".", "_")


def of_unet(rename):
    """Rename the U-Net's layers, given without their prefix, and leave the others out."""
    return lambda n: rename(n.removeprefix("unet.")) if n.startswith("unet.") else None


def of_text(rename):
    return lambda n: rename(n) if n.startswith("text_encoder.") else None


def matrices(down, up):
    small = down.shape[2:] == (1, 1)
    return (down.flatten(1), up.flatten(1)) if small else (down, up)


def four_dimensions(down, up):
    return (down[:, :, None, None], up[:, :, None, None]) if down.ndim == 2 else (down, up)


def original(name):
    return f"lora_unet_{flat(ldm_name(name))}"


def only_outer(name):
    outer = name.startswith(("conv_", "time_embedding"))
    return original(name) if outer else kohya_name(f"unet.{name}")


def processors(prefix):
    def rename(name):
        where = f"{prefix}{name}".replace(".to_out.0", ".to_out")
        return where.replace(".to_", ".processor.to_") + "_lora" if ".attn" in name else None

    return file_of(of_unet(rename), ("down.weight", "up.weight"), alpha=False)


def comfyui(name):
    if name.startswith("unet."):
        return f"diffusion_model.{ldm_name(name.removeprefix('unet.'))}"
    return f"text_encoders.clip_l.transformer.{name.removeprefix('text_encoder.')}"


def bare_original(name):
    return ldm_name(name)


def integers(tensors):
    return {k: t.to(torch.int64) if k.endswith("alpha") else t for k, t in tensors.items()}


WORD = {"bundle_emb.robot.clip_l": torch.ones(1, 32)}
FILES = {
    "kohya": file_of(kohya_name),
    "whole numbers as alphas": integers(file_of(kohya_name)),
    "original names": file_of(of_unet(original)),
    "original names of outer layers": file_of(of_unet(only_outer)),
    "1x1 convolutions as matrices": file_of(kohya_name, change=matrices),
    "linear layers in four dimensions": file_of(kohya_name, change=four_dimensions),
    "lycoris_": file_of(of_unet(lambda n: f"lycoris_{flat(n)}")),
    "lycoris_ of both": file_of(lambda n: f"lycoris_{flat(n.partition('.')[2])}"),
    "lycoris_ without alpha": file_of(of_unet(lambda n: f"lycoris_{flat(n)}"), alpha=False),
    "diffusers": file_of(lambda n: n, AB, alpha=False),
    "diffusers with alphas": file_of(lambda n: n, AB),
    "diffusers, 1x1 as matrices": file_of(lambda n: n, AB, alpha=False, change=matrices),
    "diffusers, old ends": file_of(of_unet(lambda n: f"unet.{n}"), DOTS, alpha=False),
    "diffusers, old ends, text": file_of(of_text(lambda n: n), DOTS, alpha=False),
    "diffusers, linear ends": file_of(of_unet(lambda n: f"unet.{n}"), LINEAR, alpha=False),
    "diffusers, linear ends, text": file_of(of_text(lambda n: n), LINEAR, alpha=False),
    "diffusers, kohya's ends": file_of(lambda n: n, alpha=False),
    "save_lora_adapter": file_of(of_unet(lambda n: n), AB, alpha=False),
    "processors": processors("unet."),
    "processors without unet": processors(""),
    "ComfyUI's extraction": file_of(comfyui, alpha=False),
    "OneTrainer's original format": file_of(of_unet(bare_original), AB),
    "a word beside it": file_of(kohya_name) | WORD,
}


@pytest.mark.parametrize("name", FILES)
def test_the_verdict_is_what_diffusers_does(name, pristine, tmp_path):
    path = tmp_path / "x.safetensors"
    save_file(FILES[name], path, metadata={"format": "pt"})
    report = inspect_lora(path, tiny_layout())
    lora = read_lora(path, tiny_layout())
    # Whatever it is called, it is read as what it is.
    assert_same_update(lora, Lora({n: LORA.layers[n] for n in lora.layers}))
    verdict, loaded = report.loads_in["diffusers"], copy_of(pristine)
    try:
        loaded.load_lora_weights(path)
    except Exception as error:
        assert verdict.startswith("no: it") and "on; " not in verdict, (verdict, error)
    else:
        pairs = zip(outputs(loaded), outputs(with_update(pristine, lora)), strict=True)
        right = max(float((one - other).abs().max()) for one, other in pairs) < 1e-4
        assert (verdict == "yes") == right, verdict
    # And converted it always loads.
    write_lora(Lora(lora.layers), tmp_path / "y.safetensors", dtype="fp32")
    assert inspect_lora(tmp_path / "y.safetensors", tiny_layout()).loads_in["diffusers"] == "yes"


def test_prefix_none_loads_what_save_lora_adapter_wrote(pristine, tmp_path):
    """As the verdict advises."""
    path = tmp_path / "x.safetensors"
    save_file(FILES["save_lora_adapter"], path)
    assert "prefix=None" in inspect_lora(path, tiny_layout()).loads_in["diffusers"]
    loaded = copy_of(pristine)
    loaded.unet.load_lora_adapter(str(path), prefix=None)
    wanted = with_update(pristine, read_lora(path, tiny_layout()))
    assert (outputs(loaded)[0] - outputs(wanted)[0]).abs().max() < 1e-4


def test_the_words_stay_in_kohyas_format_and_are_refused_in_others(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file(kohya_tensors(LORA, "fp32") | WORD, path)
    lora = read_lora(path, tiny_layout())
    assert lora.words() == ["robot"]
    assert accepted_by_a1111("bundle_emb.robot.clip_l")
    assert not accepted_by_comfyui("bundle_emb.robot.clip_l")
    assert any("robot" in text for text in inspect_lora(path, tiny_layout()).warnings)
    write_lora(lora, tmp_path / "y.safetensors")
    again = read_lora(tmp_path / "y.safetensors", tiny_layout())
    assert torch.equal(again.embeddings["bundle_emb.robot.clip_l"], torch.ones(1, 32))
    for form in ("diffusers", "peft"):
        with pytest.raises(HubError, match=r"robot[\s\S]*--without-embeddings"):
            write_lora(lora, tmp_path / form, form)
