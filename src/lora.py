"""LoRA: train a small correction beside each frozen layer, instead of the layer itself.

    h = W x + (alpha / r) B A x          A is (r, in), B is (out, r), r much smaller than both

W stays as it is. B starts at zero, so an untrained LoRA changes nothing.
Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685, section 4.1.

Shapes in comments: B batch, C channels, H W rows and columns, k size of a convolution's kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness import hookimpl
from toolkit.peft_adapters.choice import attach_peft
from toolkit.training_runs.targets import fitting_names

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from toolkit.core.settings import LoraConfig

# Every linear layer in the blocks of CLIP's text encoder: 6 x 12 in SD 1.x.
TEXT_ENCODER_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


class LoRALayer(nn.Module):
    """The low-rank correction of one linear layer.

    Args:
        in_features: Width of the layer's input.
        out_features: Width of the layer's output.
        rank: Inner width r; the correction has ``r * (in + out)`` parameters.
        alpha: The correction is multiplied by ``alpha / rank``, so that one learning rate suits
            every rank.
        dropout: Share of the input's numbers that training hides from the correction, 0 to 1.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        rank: int = 4,
        alpha: float = 1,
        dropout: float = 0.0,
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
        self.dropout = dropout
        self.lora_scale = 1.0  # 1 in training; `generate` turns it down or up, 0 is the base
        self.layer_name = ""  # of the layer it corrects, for instance unet.mid_block...to_q
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
        x = F.dropout(x, self.dropout, self.training)
        return (x @ self.lora_A.T @ self.lora_B.T) * (self.scale * self.lora_scale)


class LoRAConv2d(LoRALayer):
    """The correction of a convolution: A is a convolution like the layer's own, B a 1x1 one.

    A convolution is a linear layer on patches of C * k * k numbers, so A is still a matrix: one row
    per inner channel. For a 1x1 convolution it is the linear layer's LoRA, applied to every pixel.
    """

    def __init__(
        self, conv: nn.Conv2d, rank: int = 4, alpha: float = 1, dropout: float = 0.0
    ) -> None:
        patch = (conv.in_channels, *conv.kernel_size)  # (C, k, k)
        super().__init__(math.prod(patch), conv.out_channels, rank, alpha, dropout)
        self.down_shape = (rank, *patch)  # (r, C, k, k)
        self.stride, self.padding, self.dilation = conv.stride, conv.padding, conv.dilation

    def forward(self, x: Tensor) -> Tensor:
        """Return the correction for ``x`` (B, C, H, W) as (B, out, H / stride, W / stride)."""
        x = F.dropout(x, self.dropout, self.training)
        kernel = self.lora_A.view(self.down_shape)  # (r, C, k, k)
        narrow = F.conv2d(
            x, kernel, stride=self.stride, padding=self.padding, dilation=self.dilation
        )  # (B, r, H', W')
        correction = F.conv2d(narrow, self.lora_B[:, :, None, None])  # (B, out, H', W')
        return correction * (self.scale * self.lora_scale)


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
    dropout: float = 0.0,
) -> nn.Module:
    """Freeze a model and put a trainable LoRA beside the chosen layers, in place.

    Args:
        model: For instance the U-Net of Stable Diffusion.
        rank: Inner width of each LoRA.
        alpha: Numerator of the scale ``alpha / rank``.
        target_modules: Presets ("attention", "attention+mlp", "all") or endings of layer names, in
            whole parts: ``"to_q"`` or ``"attn2.to_q"``. None chooses every ``nn.Linear``.
        dropout: Share of each correction's input that training hides.

    Returns:
        The same model; each chosen layer now has a ``LoRALayer`` as its attribute ``lora``.

    Raises:
        ValueError: The model already has a LoRA, or a target fits no layer that can take one.
    """
    modules = dict(model.named_modules())
    if any(isinstance(module, LoRALayer) for module in modules.values()):
        raise ValueError("This model already has a LoRA; attach one to a freshly loaded model.")
    # The list is complete before anything is attached: a loop over named_modules() that adds
    # modules on its way would walk into its own LoRA layers.
    chosen = choose_layers(modules, target_modules)

    model.requires_grad_(False)  # frozen: W gets no gradient and no optimiser ever sees it
    for name, layer in chosen.items():
        if isinstance(layer, nn.Conv2d):
            lora: LoRALayer = LoRAConv2d(layer, rank, alpha, dropout)
        else:
            lora = LoRALayer(layer.in_features, layer.out_features, rank, alpha, dropout)
        lora.layer_name = name
        # As a submodule its parameters are the model's: they move to the GPU with it, and
        # model.parameters() and state_dict() know them.
        layer.lora = lora.to(layer.weight.device)
        layer.register_forward_hook(add_lora)
    return model


def choose_layers(
    modules: dict[str, nn.Module], target_modules: Sequence[str] | None
) -> dict[str, nn.Linear | nn.Conv2d]:
    """Return the layers that get a LoRA, by name, in the model's order; never none."""
    layers: dict[str, nn.Linear | nn.Conv2d] = {
        name: module
        for name, module in modules.items()
        if isinstance(module, nn.Linear)
        # Convolutions of the plain kind that SD has.
        or (isinstance(module, nn.Conv2d) and module.groups == 1 and module.padding_mode == "zeros")
    }
    if target_modules is None:
        chosen = {name for name, layer in layers.items() if isinstance(layer, nn.Linear)}
    else:
        chosen = fitting_names(target_modules, list(layers))  # whose names end with a target
    if not chosen:
        raise ValueError("There is no layer to put a LoRA beside.")
    return {name: layer for name, layer in layers.items() if name in chosen}


@hookimpl
def make_lora(pipeline: StableDiffusionPipeline, config: LoraConfig) -> nn.Module:
    """Attach LoRA to the U-Net, if asked to the text encoder too, and freeze everything else.

    By default the layers are "attention+mlp", every linear layer (or 1x1 convolution) in the
    Transformer blocks of the U-Net: to_q, to_k, to_v, to_out.0 of its self- and cross-attention,
    the two of the MLP behind them, proj_in and proj_out. SD 1.4 has 192 of them.

    Args:
        pipeline: The base model; it is changed in place.
        config: Rank, alpha, dropout, target modules.

    Returns:
        The LoRA layers and nothing else, by the name of the layer that each corrects.
    """
    if config.method != "own":
        return attach_peft(pipeline, config)  # one of PEFT's adapters: docs/peft_methods.md
    parts = {"unet": config.target_modules}
    if config.train_text_encoder:
        parts["text_encoder"] = TEXT_ENCODER_TARGETS
    for model in (pipeline.vae, pipeline.text_encoder, pipeline.unet):
        model.requires_grad_(False)
    adapter = nn.ModuleDict()
    for part, targets in parts.items():
        model = getattr(pipeline, part)
        apply_lora_to_model(model, config.rank, config.effective_alpha, targets, config.dropout)
        for lora in lora_layers(model):
            lora.layer_name = f"{part}.{lora.layer_name}"
            # nn.ModuleDict allows no dots in its keys.
            adapter[lora.layer_name.replace(".", "_")] = lora
    return adapter


def lora_layers(module: nn.Module) -> list[LoRALayer]:
    """Return all LoRA layers in a model or adapter."""
    return [layer for layer in module.modules() if isinstance(layer, LoRALayer)]
