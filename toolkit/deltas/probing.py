"""Compute the change of the base's weights without knowing how the adapter works.

Whatever was injected (LoRA, DoRA, LoKr, a full update), each Linear and Conv2d of the original
model is still an affine map ``y = W x + b``. Asking the live module what it does to the identity
reveals its effective ``W`` and ``b``. The scorer then needs none of the contribution's code: it
loads the clean base and adds the difference.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from toolkit.core.errors import DeltaError
from toolkit.deltas.tolerance import TOLERANCE

# Relative error allowed between the live model and base + delta: float32 rounding through thirty
# layers stays near 1e-6, a wrong effective weight shows as 1e-2 and more.

# Impulses per forward call of a convolution, so that a large layer does not take gigabytes.
CHUNK = 2048


@dataclass(frozen=True)
class Affine:
    """The effective weight and bias of a layer, in the shapes of the original parameters."""

    weight: Tensor
    bias: Tensor | None
    added_bias: float = 0.0  # largest offset of a layer that has no bias to hold it


@torch.no_grad()
def probe_linear(live: nn.Module, original: nn.Linear) -> Affine:
    """Read an affine map off a live module that stands where ``original`` stood.

    The probe has three dimensions, (1, tokens, features), as inside attention.
    """
    size = original.in_features
    weight = original.weight
    identity = torch.eye(size, dtype=weight.dtype, device=weight.device)[None]  # (1, in, in)
    offset = live(torch.zeros_like(identity[:, :1]))  # (1, 1, out)
    columns = live(identity) - offset  # (1, in, out)
    return affine_of(columns[0].T.contiguous(), offset[0, 0], original)


@torch.no_grad()
def probe_conv(live: nn.Module, original: nn.Conv2d) -> Affine:
    """Read the kernel of a live convolution with unit impulses.

    On a canvas just large enough, one output position sees the whole kernel and no padding: the
    answer there to an impulse at (channel c, row i, column j) is ``W[:, c, i, j]``. Where the
    output is as large as the input, an impulse in the middle shows a channel's whole kernel.
    """
    if shows_all_at_once(original):
        return probe_conv_by_channel(live, original)
    channels, kernel = original.in_channels // original.groups, _pair(original.kernel_size)
    stride, padding = _pair(original.stride), _pair(original.padding)
    if original.groups != 1 or _pair(original.dilation) != (1, 1):
        raise DeltaError(f"cannot probe a grouped or dilated convolution: {original}")
    output = [math.ceil(p / s) for p, s in zip(padding, stride, strict=True)]
    start = [o * s - p for o, s, p in zip(output, stride, padding, strict=True)]
    height, width = start[0] + kernel[0], start[1] + kernel[1]
    weight = original.weight
    blank = torch.zeros(1, channels, height, width, dtype=weight.dtype, device=weight.device)
    offset = live(blank)[0, :, output[0], output[1]]  # (out,)
    places = channels * kernel[0] * kernel[1]
    found = []
    for first in range(0, places, CHUNK):
        index = torch.arange(first, min(first + CHUNK, places), device=weight.device)
        channel, rest = index // (kernel[0] * kernel[1]), index % (kernel[0] * kernel[1])
        row, column = start[0] + rest // kernel[1], start[1] + rest % kernel[1]
        impulses = blank.repeat(len(index), 1, 1, 1)  # (n, in, height, width)
        impulses[torch.arange(len(index)), channel, row, column] = 1.0
        found.append(live(impulses)[:, :, output[0], output[1]] - offset)  # (n, out)
    answers = torch.cat(found).T  # (out, in * kh * kw)
    shaped = answers.reshape(original.out_channels, channels, *kernel).contiguous()
    return affine_of(shaped, offset, original)


def shows_all_at_once(original: nn.Conv2d) -> bool:
    """Tell whether one impulse per channel is enough: odd kernel, stride 1, "same" padding."""
    kernel, padding = _pair(original.kernel_size), _pair(original.padding)
    return (
        original.groups == 1
        and _pair(original.dilation) == _pair(original.stride) == (1, 1)
        and original.padding_mode == "zeros"
        and all(k % 2 == 1 and p == k // 2 for k, p in zip(kernel, padding, strict=True))
    )


def probe_conv_by_channel(live: nn.Module, original: nn.Conv2d) -> Affine:
    """Read the kernel with an impulse in the middle of each channel: a ninth of the work of a 3x3.

    Output (y, x) then is ``W[:, c, k - 1 - y, k - 1 - x]``: the kernel turned round.
    """
    channels, (rows, columns) = original.in_channels, _pair(original.kernel_size)
    weight = original.weight
    blank = torch.zeros(1, channels, rows, columns, dtype=weight.dtype, device=weight.device)
    offset = live(blank)  # (1, out, rows, columns)
    found = []
    for first in range(0, channels, CHUNK):
        index = torch.arange(first, min(first + CHUNK, channels), device=weight.device)
        impulses = blank.repeat(len(index), 1, 1, 1)  # (n, in, rows, columns)
        impulses[torch.arange(len(index)), index, rows // 2, columns // 2] = 1.0
        found.append(live(impulses) - offset)  # (n, out, rows, columns)
    turned = torch.cat(found).transpose(0, 1)  # (out, in, rows, columns)
    middle = offset[0, :, rows // 2, columns // 2]  # (out,)
    return affine_of(turned.flip(2, 3).contiguous(), middle, original)


def affine_of(weight: Tensor, offset: Tensor, original: nn.Linear | nn.Conv2d) -> Affine:
    """Put weight and offset together; an offset without a bias to hold it is noted."""
    if original.bias is None:
        return Affine(weight, None, float(offset.abs().max()))
    return Affine(weight, offset)


def _pair(value: int | str | tuple[int, ...]) -> tuple[int, int]:
    if isinstance(value, str):
        raise DeltaError(f"cannot probe a convolution with padding={value!r}")
    return (value, value) if isinstance(value, int) else (value[0], value[1])


@torch.no_grad()
def affinity_error(live: nn.Module, affine: Affine, original: nn.Linear | nn.Conv2d) -> float:
    """Return the relative error of ``W x + b`` against the live module on random input.

    Probing reads *some* W and b off any module; only here does a layer that squares its input, or
    looks at its neighbours in the batch, show itself.
    """
    generator = torch.Generator().manual_seed(0)
    plain = copy.deepcopy(original)
    plain.weight.copy_(affine.weight)
    if plain.bias is not None and affine.bias is not None:
        plain.bias.copy_(affine.bias)
    if isinstance(original, nn.Linear):
        x = torch.randn(2, 8, original.in_features, generator=generator)  # (B, S, in)
    else:
        x = torch.randn(2, original.in_channels, 8, 8, generator=generator)  # (B, in, H, W)
    x = x.to(original.weight)
    return relative_error(plain(x), live(x))


def is_untouched(live: nn.Module, original: nn.Module) -> bool:
    """Tell whether a module is the plain original, so that reading its parameters is enough."""
    hooked = live._forward_hooks or live._forward_pre_hooks or "forward" in vars(live)
    return type(live) is type(original) and not hooked and not list(live.children())


@torch.no_grad()
def effective_delta(clean: nn.Module, live: nn.Module) -> dict[str, Tensor]:
    """Return what must be added to ``clean``'s parameters to get what ``live`` computes.

    Args:
        clean: The base model as it was before ``make_lora``.
        live: The trained model, in eval mode, of the same architecture underneath its adapter.

    Returns:
        Parameter name of ``clean`` -> float32 delta on the CPU, only where it is not zero.

    Raises:
        DeltaError: A part of the base has no counterpart in the live model, or is no longer an
            affine map.
    """
    parameters = dict(clean.named_parameters())
    deltas: dict[str, Tensor] = {}
    seen: set[str] = set()

    def note(name: str, value: Tensor) -> None:
        # At once, and only what differs: all weights of a large model would be gigabytes more.
        seen.add(name)
        delta = value.float().cpu() - parameters[name].float().cpu()
        if bool(delta.any()):
            deltas[name] = delta

    for name, original in clean.named_modules():
        if not isinstance(original, (nn.Linear, nn.Conv2d)):
            continue
        counterpart = _submodule(live, name)
        if is_untouched(counterpart, original):
            continue
        affine = probe_layer(name, counterpart, original)
        note(f"{name}.weight", affine.weight)
        if affine.bias is not None:
            note(f"{name}.bias", affine.bias)
    for name, parameter in parameters.items():
        if name in seen:
            continue
        value = _read(live, name)
        if value is None or value.shape != parameter.shape:
            raise DeltaError(
                f"the trained model has no parameter {name!r} of shape {tuple(parameter.shape)}"
            )
        note(name, value)
    return {name: deltas[name] for name in parameters if name in deltas}


def probe_layer(name: str, live: nn.Module, original: nn.Linear | nn.Conv2d) -> Affine:
    """Read the affine map off a live layer, and make sure that it is one.

    Raises:
        DeltaError: It does not accept the original's input, adds a bias where the base has
            none, or is not affine.
    """
    try:
        if isinstance(original, nn.Linear):
            affine = probe_linear(live, original)
        else:
            affine = probe_conv(live, original)
        deviation = affinity_error(live, affine, original)
    except DeltaError:
        raise
    except Exception as error:  # a stranger's forward may raise anything
        raise DeltaError(
            f"the module that replaced {name!r} does not accept its input: {error}"
        ) from error
    if affine.added_bias > TOLERANCE:
        raise DeltaError(
            f"the layer {name!r} has no bias in the base, and the adapter adds one",
            fix="Leave the bias out, or adapt a layer that has one.",
        )
    # NaN compares as False with everything: it is reported as such further on.
    if deviation > TOLERANCE:
        raise DeltaError(
            f"the layer {name!r} is no longer an affine map of its input: relative error "
            f"{deviation:.1e}, allowed {TOLERANCE:.0e}",
            fix="Each adapted layer must stay y = W x + b, with W and b free of x.",
        )
    return affine


def _read(live: nn.Module, name: str) -> Tensor | None:
    """Return what the model computes with under this name; a parametrized weight is computed."""
    path, _, key = name.rpartition(".")
    value = getattr(_submodule(live, path), key, None)
    return value if isinstance(value, Tensor) else None


def _submodule(live: nn.Module, name: str) -> nn.Module:
    try:
        return live.get_submodule(name)
    except AttributeError as error:
        raise DeltaError(f"the trained model has no module {name!r} any more") from error


def add_delta(clean: nn.Module, delta: dict[str, Tensor]) -> nn.Module:
    """Return a copy of the clean model with the delta added."""
    merged = copy.deepcopy(clean)
    parameters = dict(merged.named_parameters())
    with torch.no_grad():
        for name, change in delta.items():
            parameters[name].add_(change.to(parameters[name]))
    return merged


def relative_error(found: Tensor, wanted: Tensor) -> float:
    """Return ||found - wanted|| / ||wanted|| in float64."""
    difference = (found.double() - wanted.double()).norm()
    return float(difference / wanted.double().norm().clamp_min(1e-12))
