"""A LoRA of another base model is told by its widths, and refused before it is written."""

from __future__ import annotations

import pytest
import torch

from toolkit.core.errors import HubError
from toolkit.lora_files.families import EMBEDDED, family_of, misfit, require_fit
from toolkit.lora_files.layout import SD1_UNET, Layout, build_layout, read_layout, sd1_layout
from toolkit.lora_files.memory import Lora, LoraLayer
from toolkit.lora_files.names import SD2, SDXL
from toolkit.lora_files.report import inspect_lora
from toolkit.lora_files.write import write_lora

SD2_UNET = {**SD1_UNET, "cross_attention_dim": 1024, "use_linear_projection": True}
SD2_TEXT = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23}
ATTENTION = "unet.mid_block.attentions.0.transformer_blocks.0"
MLP = "text_encoder.text_model.encoder.layers.0.mlp"


def lora_of(layout: Layout, *names: str) -> Lora:
    layers = {}
    for name in names:
        shape = layout.layers[name]
        ones = (1, 1) if shape.is_conv else ()
        down, up = (2, shape.in_features, *ones), (shape.out_features, 2, *ones)
        layers[name] = LoraLayer(torch.ones(down), torch.ones(up), 2.0)
    return Lora(layers)


SD2_LAYOUT = build_layout(SD2_UNET, SD2_TEXT)
SDXL_LAYOUT = build_layout({**SD2_UNET, "cross_attention_dim": 2048}, SD2_TEXT)


@pytest.mark.parametrize(
    ("layout", "name", "family"),
    [
        (SD2_LAYOUT, f"{ATTENTION}.attn2.to_k", SD2),
        (SD2_LAYOUT, f"{MLP}.fc2", SD2),
        (SD2_LAYOUT, f"{MLP}.fc1", SD2),
        (SDXL_LAYOUT, f"{ATTENTION}.attn2.to_v", SDXL),
    ],
)
def test_other_families_are_named_and_no_program_loads_them(layout, name, family, tmp_path):
    lora = lora_of(layout, f"{ATTENTION}.attn1.to_q", name)
    assert family_of(lora) == family
    with pytest.raises(HubError, match=family.replace(".", r"\.")):
        require_fit(lora, sd1_layout(), "x")
    require_fit(lora, layout, "x")
    write_lora(lora, tmp_path / "x.safetensors")
    report = inspect_lora(tmp_path / "x.safetensors")
    assert family in report.warnings[0]
    assert all("another base" in verdict for verdict in report.loads_in.values())
    own = inspect_lora(tmp_path / "x.safetensors", layout)
    assert not any("another base" in text for text in own.warnings)


def test_the_embedded_bases_loras_are_known(request):
    layout = read_layout(request.config.rootpath / "models" / "tiny-sd")
    lora = lora_of(layout, "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k")
    assert family_of(lora) == EMBEDDED
    assert "embedded base" in (misfit(lora, sd1_layout()) or "")


def test_layers_without_a_telling_width_are_compared_all_the_same():
    lora = lora_of(SD2_LAYOUT, "unet.mid_block.attentions.0.proj_in")
    assert family_of(lora) is None
    assert misfit(lora, sd1_layout()) is None  # the same widths: it fits both
    small = Lora({"unet.conv_out": LoraLayer(torch.ones(1, 64, 3, 3), torch.ones(4, 1, 1, 1), 1.0)})
    assert "64 inputs and 4 outputs, this base 320 and 4" in (misfit(small, sd1_layout()) or "")
