"""Each adapter that PEFT has too computes the same weight as PEFT's, from the same numbers."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import peft
import pytest
import torch
from torch import Tensor, nn

from harness.contributions.registry import contribution_names, load
from tests.src.support import build_pipeline

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
def test_oft_is_pefts_and_keeps_lengths_and_angles_of_neurons(weight: Tensor) -> None:
    own = method("OFT").OFT(weight)
    fill(own)
    own.skew.copy_(own.skew.triu(1))  # PEFT has the upper half alone; S is made of both
    block = own.skew.shape[1]

    def set_values(layer: Any) -> None:
        row, column = torch.triu_indices(block, block, 1)
        layer.oft_R["default"].weight.copy_(own.skew[:, row, column])

    config = peft.OFTConfig(
        oft_block_size=block, r=0, use_cayley_neumann=False, target_modules=["layer"]
    )
    turned = own(weight)
    torch.testing.assert_close(turned, peft_weight(config, weight, set_values))
    torch.testing.assert_close(turned @ turned.T, weight @ weight.T, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(turned, weight, atol=0.1)


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


OWN_ADAPTERS = [name for name in contribution_names() if "make_lora" in load(name).file.hooks]


@pytest.mark.parametrize("name", OWN_ADAPTERS)
def test_an_adapter_lives_where_its_layers_are(name: str) -> None:
    """On the meta device, which stands for a GPU: what is made elsewhere cannot be used there."""
    pipeline = build_pipeline().to("meta")
    settings = load(name).file.settings.lora
    adapter = method(name).make_lora(pipeline=pipeline, config=settings)
    tensors = [*adapter.parameters(), *adapter.buffers()]
    assert tensors
    assert {tensor.device.type for tensor in tensors} == {"meta"}
