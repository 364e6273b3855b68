"""Every PEFT method that a contribution.toml can name keeps the hub's contract."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from toolkit.core.peft_methods import METHODS
from toolkit.core.settings import LoraConfig
from toolkit.deltas.probing import add_delta, effective_delta, relative_error
from toolkit.peft_adapters.adapter import attach
from toolkit.peft_adapters.options import build_spec

# PSOFT rotates inside the weight's main directions and DeLoRA divides by norms: not exact at the
# start in float32, but far below what training does.
IDENTITY = 1e-4


@pytest.fixture(scope="module")
def base() -> nn.Module:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    unet: nn.Module = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=8,
    )
    return unet.eval()


@torch.no_grad()
def predict(unet: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(2, 4, 8, 8, generator=generator)
    hidden = torch.randn(2, 5, 32, generator=generator)
    sample: Tensor = unet(latents, torch.tensor([10, 500]), hidden).sample
    return sample


@pytest.mark.parametrize("method", METHODS)
def test_a_method_attaches_trains_scales_and_comes_back_from_its_state(
    method: str, base: nn.Module
) -> None:
    config = LoraConfig(method=method)
    spec = build_spec(method, config.rank, config.effective_alpha, config.target_endings, {})

    def attached(seed: int) -> tuple[nn.Module, nn.Module]:
        unet = copy.deepcopy(base)
        torch.manual_seed(seed)
        return unet, attach(unet, spec)

    unet, adapter = attached(0)
    before = predict(base)
    assert relative_error(predict(unet), before) < IDENTITY
    # Exactly what is trained, and part of the model.
    own = {id(p) for p in adapter.parameters()}
    assert own == {id(p) for p in unet.parameters() if p.requires_grad}

    optimizer = torch.optim.AdamW(adapter.parameters(), lr=1e-2)
    unet.train()
    for _ in range(3):
        latents, hidden = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 32)
        loss = (unet(latents, torch.tensor([10, 500]), hidden).sample - 1).square().mean()
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
    unet.eval()
    trained = predict(unet)
    moved = relative_error(trained, before)
    assert moved > 1e-3

    # The scorer sees the same model without PEFT.
    assert relative_error(predict(add_delta(base, effective_delta(base, unet))), trained) < 1e-3

    # Strength 0 is the base; the state alone brings the trained model back.
    for layer in adapter.modules():
        if hasattr(layer, "lora_scale"):
            layer.lora_scale = 0.0
    assert relative_error(predict(unet), before) < 1e-5
    again, adapter_again = attached(1)
    adapter_again.load_state_dict(adapter.state_dict())
    assert relative_error(predict(again), trained) < 1e-5


def test_a_misspelt_method_names_those_that_are_near() -> None:
    with pytest.raises(ValidationError, match="DoRA"):
        LoraConfig(method="DORA")
    with pytest.raises(ValueError, match="DoRA"):
        build_spec("Dora", 4, 4.0, ("to_q",), {})


def test_options_without_a_method_are_refused() -> None:
    with pytest.raises(ValidationError, match="options belong to a PEFT method"):
        LoraConfig(options={"use_dora": True})


def test_an_option_that_peft_does_not_know_is_named(base: nn.Module) -> None:
    spec = build_spec("LoHa", 4, 4.0, ("to_q",), {"rnak_dropout": 0.1})
    with pytest.raises(ValueError, match="rnak_dropout"):
        attach(copy.deepcopy(base), spec)


def test_no_fitting_layer_is_an_error(base: nn.Module) -> None:
    with pytest.raises(ValueError, match="to_nowhere"):
        attach(copy.deepcopy(base), build_spec("LoHa", 4, 4.0, ("to_nowhere",), {}))


def test_the_table_of_methods_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "peft_methods.md").read_text(encoding="utf-8")
    for name, method in METHODS.items():
        assert f"| `{name}` | [paper]({method.paper}) |" in page


def test_nothing_is_printed_or_warned(base: nn.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attach(copy.deepcopy(base), build_spec("BOFT", 4, 4.0, ("to_q",), {}))
