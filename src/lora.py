"""LoRA: train a small correction beside each frozen layer, instead of the layer itself.

    h = W x + (alpha / r) B A x          A is (r, in), B is (out, r), r much smaller than both

W stays as it is. B starts at zero, so an untrained LoRA changes nothing.
Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685, section 4.1.

Shapes in comments: B batch, S tokens or pixels in a row, C channels, H W rows and columns.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from torch import Tensor, nn

from harness import hookimpl

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from harness.records import LoraConfig


class LoRALayer(nn.Module):
    """The low-rank correction of one linear layer.

    Args:
        in_features: Width of the layer's input.
        out_features: Width of the layer's output.
        rank: Inner width r; the correction has ``r * (in + out)`` parameters.
        alpha: The correction is multiplied by ``alpha / rank``, so that changing the rank does not
            ask for another learning rate.
    """

    def __init__(
        self, in_features: int, out_features: int, rank: int = 4, alpha: float = 1
    ) -> None:
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank is {rank}, but a LoRA needs at least rank 1.")
        # Always float32, whatever the base uses: an AdamW update of 1e-4 is lost in rounding when
        # the weight it is added to is a bfloat16.
        self.lora_A = nn.Parameter(torch.zeros((rank, in_features), dtype=torch.float32))
        self.lora_B = nn.Parameter(torch.zeros((out_features, rank), dtype=torch.float32))
        self.rank = rank
        self.scale = alpha / rank
        self.lora_scale = 1.0  # 1 in training; `generate` turns it down or up, 0 is the base
        # Only one of the two may start at zero: with both, neither would ever get a gradient.
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B)

    def forward(self, x: Tensor) -> Tensor:
        """Return the correction alone, without the base layer's output.

        Args:
            x: The base layer's input, (..., in_features).

        Returns:
            What to add to the base layer's output, (..., out_features).
        """
        return (x @ self.lora_A.T @ self.lora_B.T) * (self.scale * self.lora_scale)


class LoRAConv1x1(LoRALayer):
    """The same for a 1x1 convolution, which is a linear layer applied to every pixel."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the correction for ``x`` (B, in, H, W) as (B, out, H, W)."""
        correction = super().forward(x.movedim(1, -1))  # (B, H, W, out)
        return correction.movedim(-1, 1)  # (B, out, H, W)


def add_lora(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """Add the layer's LoRA to its output. This is the line without which nothing is trained.

    It is registered as a forward hook. A module that merely *owns* a LoRALayer never calls it: the
    loss would not depend on it and training would change nothing, without any error. A function at
    module level (not a lambda) keeps the model copyable.
    """
    lora: LoRALayer = module.lora
    correction: Tensor = lora(inputs[0].to(lora.lora_A.dtype))
    return output + correction.to(output.dtype)


def apply_lora_to_model(
    model: nn.Module,
    rank: int = 4,
    alpha: float = 1,
    target_modules: Sequence[str] | None = None,
) -> nn.Module:
    """Freeze a model and put a trainable LoRA beside the chosen layers, in place.

    Args:
        model: For instance the U-Net of Stable Diffusion.
        rank: Inner width of each LoRA.
        alpha: Numerator of the scale ``alpha / rank``.
        target_modules: A layer is chosen when its dotted name ends with one of these, in whole
            parts: ``"to_q"`` or ``"attn2.to_q"``. None chooses every ``nn.Linear``.

    Returns:
        The same model; each chosen layer now has a ``LoRALayer`` as its attribute ``lora``.

    Raises:
        ValueError: The model already has a LoRA, or a target names no layer that can take one.
    """
    modules = dict(model.named_modules())
    if any(isinstance(module, LoRALayer) for module in modules.values()):
        raise ValueError("This model already has a LoRA; attach one to a freshly loaded model.")
    # The list is complete before anything is attached: a loop over named_modules() that adds
    # modules on its way would walk into its own LoRA layers.
    chosen = choose_layers(modules, target_modules)

    model.requires_grad_(False)
    for layer in chosen:
        if isinstance(layer, nn.Conv2d):
            lora: LoRALayer = LoRAConv1x1(layer.in_channels, layer.out_channels, rank, alpha)
        else:
            lora = LoRALayer(layer.in_features, layer.out_features, rank, alpha)
        # As a submodule its parameters are the model's: they move to the GPU with it, and
        # model.parameters() and state_dict() know them.
        layer.lora = lora.to(layer.weight.device)
        layer.register_forward_hook(add_lora)
    return model


def choose_layers(
    modules: dict[str, nn.Module], target_modules: Sequence[str] | None
) -> list[nn.Linear | nn.Conv2d]:
    """Return the layers whose dotted name ends with a target, in the model's order.

    Raises:
        ValueError: A target fits no layer; the message says which names come near.
    """
    if target_modules is None:
        linears = [module for module in modules.values() if isinstance(module, nn.Linear)]
        if not linears:
            raise ValueError("The model has no nn.Linear to put a LoRA beside.")
        return list(linears)
    chosen: list[nn.Linear | nn.Conv2d] = []
    unused = set(target_modules)
    for name, module in modules.items():
        # A leading dot on both sides makes "to_q" fit "attn1.to_q" and not "attn1.xto_q".
        fitting = {target for target in target_modules if f".{name}".endswith(f".{target}")}
        if fitting and (isinstance(module, nn.Linear) or is_conv1x1(module)):
            chosen.append(module)
            unused -= fitting
    if unused:
        raise ValueError(describe_unused(sorted(unused), modules))
    return chosen


def is_conv1x1(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Tell whether a module is a 1x1 convolution, such as ``proj_in`` in SD 1.x."""
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride == (1, 1)
        and module.padding == (0, 0)
        and module.groups == 1
    )


def describe_unused(unused: list[str], modules: dict[str, nn.Module]) -> str:
    """Say which targets fit nothing, and what they may have meant."""
    layers = [n for n, m in modules.items() if isinstance(m, nn.Linear) or is_conv1x1(m)]
    # Every ending of a layer's name would be a valid target: "to_out.0", "attn1.to_out.0", ...
    endings = {".".join(name.split(".")[-parts:]) for name in layers for parts in (1, 2, 3)}
    lines = []
    for target in unused:
        near = difflib.get_close_matches(target, sorted(endings), n=3, cutoff=0.5)
        hint = f"; near names: {', '.join(near)}" if near else ""
        lines.append(f"No Linear or 1x1 convolution is named {target!r}{hint}.")
    return "\n".join(lines)


@hookimpl
def make_lora(pipeline: StableDiffusionPipeline, config: LoraConfig) -> nn.Module:
    """Attach LoRA to the U-Net and freeze everything else.

    Args:
        pipeline: The base model; its U-Net is changed in place.
        config: Rank, alpha and target modules.

    Returns:
        The LoRA layers of the U-Net and nothing else, by the name of the layer that each corrects.
    """
    pipeline.vae.requires_grad_(False)
    pipeline.text_encoder.requires_grad_(False)
    apply_lora_to_model(
        pipeline.unet, config.rank, config.effective_alpha, list(config.target_modules)
    )
    # nn.ModuleDict allows no dots in its keys; with underscores they are kohya's names.
    return nn.ModuleDict(
        {
            name.removesuffix(".lora").replace(".", "_"): module
            for name, module in pipeline.unet.named_modules()
            if isinstance(module, LoRALayer)
        }
    )


def set_lora_scale(adapter: nn.Module, lora_scale: float) -> None:
    """Set the strength with which an adapter acts.

    It works on any adapter whose layers have an attribute ``lora_scale``, also on one that somebody
    else's ``make_lora`` built.

    Args:
        adapter: What ``make_lora`` returned.
        lora_scale: 1 as trained, 0 exactly the base, in between a mixture.

    Raises:
        ValueError: The adapter cannot be scaled, and another strength than 1 is asked for.
    """
    layers = [module for module in adapter.modules() if hasattr(module, "lora_scale")]
    if not layers and lora_scale != 1:
        raise ValueError(
            f"lora_scale is {lora_scale}, but no layer of this adapter has an attribute "
            "`lora_scale`. Multiply by it in the layer's forward, or leave lora_scale at 1."
        )
    for layer in layers:
        layer.lora_scale = lora_scale  # type: ignore[assignment]  # a plain number on a module
