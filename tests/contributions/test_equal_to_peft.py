"""Each adapter that PEFT has too computes the same weight as PEFT's, from the same numbers."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import peft
import pytest
import torch
from torch import Tensor, nn

IN, OUT, RANK, ALPHA = 24, 16, 4, 6.0


def method(name: str) -> Any:
    return importlib.import_module(f"CONTRIBUTIONS.{name}.src.lora")


@pytest.fixture
def weight() -> Tensor:
    return torch.randn(OUT, IN, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def fill(module: nn.Module) -> None:
    """Give every parameter values away from its start, the same for the same shapes."""
    generator = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        if parameter.requires_grad:
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)


def peft_weight(config: Any, weight: Tensor, set_values: Callable[[Any], None]) -> Tensor:
    """Return the weight that PEFT's layer computes with, merged into the base."""
    model = nn.Sequential()
    model.add_module("layer", nn.Linear(IN, OUT, bias=False))
    model.layer.weight.data.copy_(weight)  # type: ignore[union-attr]
    wrapped: Any = peft.get_peft_model(model, config)
    with torch.no_grad():
        set_values(wrapped.base_model.model.layer)
    return wrapped.merge_and_unload().layer.weight.detach()


@torch.no_grad()
def test_dora_is_pefts(weight: Tensor) -> None:
    own = method("DoRA").DoRA(weight, RANK, ALPHA)
    fill(own)

    def set_values(layer: Any) -> None:
        layer.lora_A["default"].weight.copy_(own.lora_A)
        layer.lora_B["default"].weight.copy_(own.lora_B)
        layer.lora_magnitude_vector["default"].weight.copy_(own.magnitude[:, 0])

    config = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, use_dora=True, target_modules=["layer"])
    torch.testing.assert_close(own(weight), peft_weight(config, weight, set_values))


@torch.no_grad()
def test_loha_is_pefts(weight: Tensor) -> None:
    own = method("LoHa").LoHa(weight, RANK, ALPHA)
    fill(own)

    def set_values(layer: Any) -> None:
        for part in ("w1_a", "w1_b", "w2_a", "w2_b"):
            getattr(layer, f"hada_{part}")["default"].copy_(getattr(own, part))

    config = peft.LoHaConfig(r=RANK, alpha=ALPHA, target_modules=["layer"])
    torch.testing.assert_close(own(weight), peft_weight(config, weight, set_values))


@torch.no_grad()
def test_lokr_is_pefts(weight: Tensor) -> None:
    own = method("LoKr").LoKr(weight, 2, ALPHA)
    fill(own)

    def set_values(layer: Any) -> None:
        layer.lokr_w1["default"].copy_(own.small)
        layer.lokr_w2_a["default"].copy_(own.low_a)
        layer.lokr_w2_b["default"].copy_(own.low_b)

    config = peft.LoKrConfig(r=2, alpha=ALPHA, decompose_factor=4, target_modules=["layer"])
    torch.testing.assert_close(own(weight), peft_weight(config, weight, set_values))


@torch.no_grad()
def test_ia3_is_pefts_on_outputs_and_on_inputs(weight: Tensor) -> None:
    for inputs in (False, True):
        own = method("IA3").IA3(weight, scale_inputs=inputs)
        fill(own)

        def set_values(layer: Any, own: Any = own) -> None:
            layer.ia3_l["default"].copy_((1 + own.offset).view_as(layer.ia3_l["default"]))

        config = peft.IA3Config(
            target_modules=["layer"], feedforward_modules=["layer"] if inputs else []
        )
        torch.testing.assert_close(own(weight), peft_weight(config, weight, set_values))


@torch.no_grad()
def test_vera_is_pefts(weight: Tensor) -> None:
    own = method("VeRA").VeRA(weight, RANK)
    fill(own)

    def set_values(layer: Any) -> None:
        layer.vera_A["default"].copy_(own.random_A)
        layer.vera_B["default"].copy_(own.random_B)
        layer.vera_lambda_d["default"].copy_(own.d[:, 0])
        layer.vera_lambda_b["default"].copy_(own.b[:, 0])

    config = peft.VeraConfig(r=RANK, target_modules=["layer"])
    torch.testing.assert_close(own(weight), peft_weight(config, weight, set_values))


@torch.no_grad()
def test_pissa_starts_where_pefts_starts(weight: Tensor) -> None:
    own = method("PiSSA").PiSSA(weight, RANK)
    config = peft.LoraConfig(
        r=RANK, lora_alpha=RANK, init_lora_weights="pissa", target_modules=["layer"]
    )
    found: dict[str, Tensor] = {}

    def remember(layer: Any) -> None:
        found["change"] = layer.lora_B["default"].weight @ layer.lora_A["default"].weight

    peft_weight(config, weight, remember)
    torch.testing.assert_close(own.start_B @ own.start_A, found["change"], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_oft_turns_by_the_rotation_that_peft_would_use(weight: Tensor) -> None:
    # PEFT's OFT turns a layer's inputs, the paper's its outputs: compare on the transpose.
    own = method("OFT").OFT(weight)
    fill(own)
    skew = own.skew - own.skew.transpose(1, 2)  # (blocks, b, b)
    rotation = torch.block_diag(*torch.linalg.solve(own.identity - skew, own.identity + skew))
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(OUT), atol=1e-5, rtol=0)
    torch.testing.assert_close(own(weight), rotation @ weight)
    exact = torch.block_diag(*torch.linalg.matrix_exp(2 * skew * 1e-3))
    own.skew.mul_(1e-3)
    # For small angles Cayley's formula is the matrix exponential.
    torch.testing.assert_close(torch.block_diag(*own.rotation()), exact, atol=1e-6, rtol=0)


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_shira_is_pefts(weight: Tensor) -> None:
    own = method("SHiRA").SHiRA(weight, 2)
    fill(own)

    def set_values(layer: Any) -> None:
        theirs = layer.shira_weight["default"]
        assert theirs.numel() == own.values.numel() == 2 * (IN + OUT)
        theirs.copy_(own.values)
        layer.shira_indices["default"].copy_(torch.stack((own.places // IN, own.places % IN)))

    config = peft.ShiraConfig(r=2, target_modules=["layer"])
    torch.testing.assert_close(own(weight), peft_weight(config, weight, set_values))


METHODS: dict[str, Callable[[Any, Tensor], Any]] = {
    "DoRA": lambda module, w: module.DoRA(w, RANK, ALPHA),
    "LoHa": lambda module, w: module.LoHa(w, RANK, ALPHA),
    "LoKr": lambda module, w: module.LoKr(w, RANK, ALPHA),
    "OFT": lambda module, w: module.OFT(w),
    "IA3": lambda module, w: module.IA3(w, scale_inputs=False),
    "VeRA": lambda module, w: module.VeRA(w, RANK),
    "PiSSA": lambda module, w: module.PiSSA(w, RANK),
    "NormsAndBiases": lambda module, w: module.Offset(w),
    "SHiRA": lambda module, w: module.SHiRA(w, RANK),
}


@pytest.mark.parametrize("name", METHODS)
@torch.no_grad()
def test_an_untrained_adapter_changes_nothing_and_strength_zero_is_the_base(
    name: str, weight: Tensor
) -> None:
    own = METHODS[name](method(name), weight)
    torch.testing.assert_close(own(weight), weight, atol=1e-6, rtol=1e-6)
    fill(own)
    trained = own(weight)
    assert not torch.allclose(trained, weight, atol=1e-3)
    own.lora_scale = 0.0
    torch.testing.assert_close(own(weight), weight, atol=1e-6, rtol=1e-6)
    own.lora_scale = 0.5
    torch.testing.assert_close(own(weight), (weight + trained) / 2, atol=1e-5, rtol=1e-5)
