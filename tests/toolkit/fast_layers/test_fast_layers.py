"""The fast forms compute what the plain ones do: values, gradients, whole trainings."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn
from torch.nn import functional as F

from src.lora import LoRALayer, add_lora, apply_lora_to_model, lora_layers
from toolkit.fast_layers import convolution, fast_layers
from toolkit.fast_layers.linear import LoRALinear
from toolkit.fast_layers.pointwise import LoRAPointwise
from toolkit.fast_layers.switch import is_plain_lora

RELATIVE = 1e-5
UNET = Path(__file__).resolve().parents[3] / "models" / "tiny-sd" / "unet"


def close(one, other):
    return torch.allclose(
        one, other, rtol=RELATIVE, atol=RELATIVE * float(other.detach().abs().max())
    )


def small_model():
    """A linear layer with LoRA, one without, and convolutions of several kinds."""
    torch.manual_seed(0)
    model = nn.ModuleDict(
        {
            "to_q": nn.Linear(12, 8),
            "other": nn.Linear(8, 8),
            "conv": nn.Conv2d(8, 6, 3, padding=1),
            "strided": nn.Conv2d(8, 6, 3, padding=1, stride=2),
            "pointwise": nn.Conv2d(8, 6, 1),
        }
    )
    apply_lora_to_model(model, rank=3, alpha=6, target_modules=["to_q"])
    nn.init.normal_(model["to_q"].lora.lora_B)
    return model


@pytest.mark.parametrize("shape", [(12,), (5, 12), (2, 5, 12)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_fast_lora_layer_has_the_plain_one_s_values_and_gradients(shape, bias):
    torch.manual_seed(1)
    layer = nn.Sequential(nn.Linear(12, 8, bias=bias)).double().float()
    apply_lora_to_model(layer, rank=3, alpha=6, target_modules=["0"])
    nn.init.normal_(layer[0].lora.lora_B)
    results = []
    for fast in (False, True):
        x = torch.linspace(-1, 1, 12).expand(shape).clone().requires_grad_()
        layer.zero_grad()
        if fast:
            with fast_layers(layer, add_lora, pack_convolutions=False) as count:
                out = layer(x)
            assert count == 1
        else:
            out = layer(x)
        out.sin().sum().backward()
        results.append([out, x.grad, *(p.grad.clone() for p in layer[0].lora.parameters())])
    assert all(close(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_a_fast_lora_on_a_1x1_convolution_has_the_plain_one_s_values_and_gradients(batch, bias):
    torch.manual_seed(1)
    layer = nn.Sequential(nn.Conv2d(6, 5, 1, bias=bias))
    apply_lora_to_model(layer, rank=3, alpha=6, target_modules=["0"])
    nn.init.normal_(layer[0].lora.lora_B)
    results = []
    for fast in (False, True):
        x = torch.linspace(-1, 1, batch * 6 * 8).view(batch, 6, 4, 2).clone().requires_grad_()
        layer.zero_grad()
        # Channels last, as a layer behind others may get it: the fast form may not mind.
        seen = x.to(memory_format=torch.channels_last) if fast else x
        if fast:
            with fast_layers(layer, add_lora, pack_convolutions=True) as count:
                out = layer(seen)
            assert count == 1
        else:
            out = layer(seen)
        out.sin().sum().backward()
        lora = layer[0].lora
        results.append([out.detach(), x.grad, lora.lora_A.grad.clone(), lora.lora_B.grad.clone()])
    for plain, quick in zip(*results, strict=True):
        assert close(plain, quick)


@pytest.mark.parametrize(
    ("function", "inputs", "weights"),
    [(LoRALinear, (3, 5), (4, 5)), (LoRAPointwise, (2, 5, 3, 2), (4, 5, 1, 1))],
)
def test_the_gradients_are_right_by_finite_differences(function, inputs, weights):
    torch.manual_seed(2)
    x, w, b, down, up = (
        torch.randn(shape, dtype=torch.float64) for shape in (inputs, weights, (4,), (2, 5), (4, 2))
    )
    for tensor in (x, down, up):
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, down, up: function.apply(x, w, b, down, up, 0.5), (x, down, up)
    )


@pytest.mark.skipif(not convolution.is_available(), reason="this torch has no oneDNN")
@pytest.mark.parametrize("size", [(1, 8, 8), (2, 4, 12), (3, 1, 1)])
def test_a_packed_convolution_has_the_plain_one_s_values_and_gradient(size):
    torch.manual_seed(3)
    conv = nn.Conv2d(8, 6, 3, padding=1).requires_grad_(False)
    batch, height, width = size
    x = torch.randn(batch, 8, height, width)
    packed = convolution.PackedConvolution(conv)
    for _ in range(2):  # packed in the first call, used again in the second
        a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
        plain, fast = conv(a), packed(b)
        (plain.sin()).sum().backward()
        (fast.sin()).sum().backward()
        assert close(fast, plain)
        assert close(b.grad, a.grad)
    other = torch.randn(1, 8, 16, 16)  # another size than it was packed for
    assert close(packed(other), conv(other))


def test_only_what_fits_is_replaced_and_everything_comes_back():
    model = small_model()
    before = {name: dict(module._forward_hooks) for name, module in model.named_modules()}
    with fast_layers(model, add_lora, pack_convolutions=True) as count:
        replaced = {name for name, module in model.named_modules() if "forward" in vars(module)}
    packed = {"conv"} if convolution.is_available() else set()
    assert replaced == {"to_q"} | packed
    assert count == len(replaced)
    assert before == {name: dict(module._forward_hooks) for name, module in model.named_modules()}
    assert not [name for name, module in model.named_modules() if "forward" in vars(module)]


def test_a_convolution_whose_weights_change_inside_the_block_is_packed_anew():
    layer, x = small_model()["conv"].requires_grad_(requires_grad=False), torch.randn(2, 8, 8, 8)
    holder = nn.ModuleDict({"conv": layer})
    with fast_layers(holder, add_lora, pack_convolutions=True) as count:
        assert count == 1
        before = layer(x)
        with torch.no_grad():
            layer.weight.add_(0.5)  # as merging an adapter does
        in_place = layer(x)
        layer.weight.data = layer.weight.data * 2
        replaced = layer(x)
    assert not close(before, in_place)
    assert close(replaced, layer(x))
    with torch.no_grad():
        layer.weight.div_(2)
    assert close(in_place, layer(x))


def test_a_convolution_that_is_trained_after_all_gets_its_gradient():
    layer, x = small_model()["conv"].requires_grad_(requires_grad=False), torch.randn(2, 8, 8, 8)
    with fast_layers(nn.ModuleDict({"conv": layer}), add_lora, pack_convolutions=True):
        layer(x)
        layer.requires_grad_(requires_grad=True)
        layer(x).sum().backward()
    assert layer.weight.grad is not None


def test_a_model_copied_inside_the_block_computes_with_its_own_weights():
    model = small_model().requires_grad_(requires_grad=False)
    rows, picture = torch.randn(3, 12), torch.randn(2, 8, 8, 8)
    with fast_layers(model, add_lora, pack_convolutions=True):
        model["conv"](picture)
        copy = deepcopy(model)
        for parameter in copy.parameters():
            parameter.data.mul_(2)
        fast = [copy["to_q"](rows), copy["conv"](picture)]
    for layer in (copy["to_q"], copy["conv"]):
        del layer.forward
    copy["to_q"].register_forward_hook(add_lora)
    assert close(fast[0], copy["to_q"](rows))
    assert close(fast[1], copy["conv"](picture))


def test_an_error_inside_the_block_brings_everything_back_too():
    model = small_model()
    with (
        pytest.raises(RuntimeError, match="out of memory"),
        fast_layers(model, add_lora, pack_convolutions=True),
    ):
        raise RuntimeError("out of memory")
    assert list(model["to_q"]._forward_hooks.values()) == [add_lora]
    assert "forward" not in vars(model["to_q"])


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: setattr(layer.lora, "dropout", 0.1),
        lambda layer: layer.register_forward_hook(lambda *_: None),
        lambda layer: layer.register_forward_pre_hook(lambda *_: None),
        lambda layer: layer.weight.requires_grad_(True),
        lambda layer: layer.to(torch.float64),
        lambda layer: setattr(layer, "lora", None),
    ],
)
def test_a_layer_that_computes_anything_else_is_left_alone(change):
    layer = small_model()["to_q"]
    assert is_plain_lora(layer, add_lora)
    change(layer)
    assert not is_plain_lora(layer, add_lora)


def test_a_lora_turned_down_inside_the_block_is():
    model, x = small_model(), torch.randn(4, 12)
    layer = model["to_q"]
    lora: LoRALayer = layer.lora
    with fast_layers(model, add_lora, pack_convolutions=False):
        whole = layer(x)
        lora.lora_scale = 0.5
        half = layer(x)
        lora.lora_scale = 0.0
        base = layer(x)
    assert close(half - base, (whole - base) / 2)
    assert close(base, F.linear(x, layer.weight, layer.bias))


@pytest.mark.parametrize("kind", ["lora", "all"])
def test_a_training_step_of_the_unet_is_as_exact_as_the_plain_one(kind):
    torch.manual_seed(5)
    unet = UNet2DConditionModel.from_pretrained(UNET)
    apply_lora_to_model(unet, 4, 4, ["attention+mlp"])
    for lora in lora_layers(unet):
        nn.init.normal_(lora.lora_B, std=0.1)
    latents, timesteps = torch.randn(2, 4, 8, 8), torch.tensor([10, 900])
    states = torch.randn(2, 7, unet.config.cross_attention_dim)

    def gradients(model, dtype=torch.float32):
        model.zero_grad()
        inputs = (latents.to(dtype), timesteps)
        model(*inputs, encoder_hidden_states=states.to(dtype)).sample.square().mean().backward()
        return [p.grad.clone() for p in model.parameters() if p.requires_grad]

    def error(found):
        far = [(a - b).abs().max() / b.abs().max() for a, b in zip(found, exact, strict=True)]
        return float(max(far))

    plain = gradients(unet)
    with fast_layers(unet, add_lora, pack_convolutions=kind == "all") as count:
        fast = gradients(unet)
    assert count >= len(list(lora_layers(unet)))
    exact = gradients(unet.double(), torch.float64)
    assert error(fast) < max(2 * error(plain), RELATIVE)
