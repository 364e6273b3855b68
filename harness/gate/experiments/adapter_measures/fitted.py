"""A pipeline with an adapter beside one without, and the question that each layer is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from harness.gate.experiments.context import Context, attach, perturb
from harness.gate.experiments.pipelines import small_text_encoder
from harness.gate.spies import Spy
from harness.worker.hooks import Hooks
from toolkit.core.settings import LoraConfig

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

KINDS = (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm)
SIZE = 1.0  # of the known change, beside what a fresh matrix has


@dataclass
class Fitted:
    """A tiny pipeline with an adapter, beside an untouched one."""

    clean: StableDiffusionPipeline
    live: StableDiffusionPipeline
    adapter: nn.Module
    chance: Tensor  # state of torch's generator after make_lora

    def layers(self) -> dict[str, tuple[nn.Module, nn.Module]]:
        """Return the base's layers by name: untouched, and as the adapter made them."""
        return {
            name: (module, self.live.unet.get_submodule(name))
            for name, module in self.clean.unet.named_modules()
            if isinstance(module, KINDS)
        }


def untouched(context: Context) -> StableDiffusionPipeline:
    """Return the tiny pipeline that no hook is handed."""
    if "untouched" not in context.shared:
        small = small_text_encoder(context)
        context.shared["untouched"] = context.workshop.tiny(Spy(context.finder), text_encoder=small)
    pipeline: StableDiffusionPipeline = context.shared["untouched"]
    return pipeline


def fitted(
    context: Context, hooks: Hooks, *, moved: bool = True, seed: int = 3, **changes: Any
) -> Fitted:
    """Attach an adapter with some settings changed, and move it by a known amount."""
    small = small_text_encoder(context)
    clean = untouched(context)
    live = context.workshop.tiny(Spy(context.finder), text_encoder=small)
    settings = context.lora_config().model_dump()
    config = LoraConfig(**{**settings, **changes})
    adapter = attach(context, live, hooks, seed=seed, config=config)
    chance = torch.get_rng_state()
    for model in (live.unet, live.text_encoder, adapter):
        model.eval()
    if moved:
        perturb(adapter, SIZE)
    return Fitted(clean, live, adapter, chance)


def question(module: nn.Module, seed: int) -> Tensor:
    """Return an input that a layer takes."""
    generator = torch.Generator().manual_seed(seed)
    if isinstance(module, nn.Linear):
        return torch.randn(1, 6, module.in_features, generator=generator)
    if isinstance(module, nn.Conv2d):
        return torch.randn(1, module.in_channels, 6, 6, generator=generator)
    if isinstance(module, nn.GroupNorm):
        return torch.randn(1, module.num_channels, 6, 6, generator=generator)
    width = module.normalized_shape[-1] if isinstance(module, nn.LayerNorm) else 1
    return torch.randn(1, 6, width, generator=generator)


def changes_of(fit: Fitted, seed: int = 1) -> dict[str, Tensor]:
    """Return by how much each layer's answer is another than the untouched one's."""
    with torch.no_grad():
        return {
            name: live(question(clean, seed)) - clean(question(clean, seed))
            for name, (clean, live) in fit.layers().items()
        }
