"""The profile of ``make_lora``: every layer is asked by itself, before and after a known change."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from harness.gate.experiments.context import Context, attach, perturb
from harness.gate.experiments.measuring import both
from harness.gate.experiments.pipelines import small_text_encoder
from harness.gate.profile.property import Measured, Profiled, Value
from harness.gate.spies import Spy
from harness.worker.hooks import Hooks
from toolkit.core.errors import HubError
from toolkit.core.settings import LoraConfig

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

Values = dict[str, Value]

KINDS = (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm)
SIZE = 1.0  # of the known change, beside what a fresh matrix has
REACHED = 1e-5  # relative change of a layer's answer
BLOCKS = ("down_blocks", "mid_block", "up_blocks")
PARTS = ("attn1", "attn2", "ff", "proj_in", "proj_out", "conv", "time", "norm")


@dataclass
class Fitted:
    """A tiny pipeline with an adapter, beside an untouched one."""

    clean: StableDiffusionPipeline
    live: StableDiffusionPipeline
    adapter: nn.Module

    def layers(self) -> dict[str, tuple[nn.Module, nn.Module]]:
        """Return the base's layers by name: untouched, and as the adapter made them."""
        return {
            name: (module, self.live.unet.get_submodule(name))
            for name, module in self.clean.unet.named_modules()
            if isinstance(module, KINDS)
        }


def run(context: Context) -> Profiled:
    """Attach the contribution's adapter and the reference's."""
    return both(context, "adapter", measure)


def fitted(context: Context, hooks: Hooks, *, moved: bool = True, **changes: Any) -> Fitted:
    """Attach an adapter with some settings changed, and move it by a known amount."""
    small = small_text_encoder(context)
    clean = context.workshop.tiny(Spy(context.finder), text_encoder=small)
    live = context.workshop.tiny(Spy(context.finder), text_encoder=small)
    settings = context.lora_config().model_dump()
    adapter = attach(context, live, hooks, config=LoraConfig(**{**settings, **changes}))
    for model in (live.unet, live.text_encoder, adapter):
        model.eval()
    if moved:
        perturb(adapter, SIZE)
    return Fitted(clean, live, adapter)


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


def reached(fit: Fitted) -> list[str]:
    """Return the names of the layers that the adapter changes."""
    found = []
    with torch.no_grad():
        for name, (clean, live) in fit.layers().items():
            before = clean(question(clean, 1))
            if float((live(question(clean, 1)) - before).norm()) > REACHED * float(before.norm()):
                found.append(name)
    return found


def part_of(name: str) -> str:
    """Return which part of a block a layer belongs to."""
    return next((part for part in PARTS if part in name), "others")


def counted(names: list[str]) -> str:
    """Return how many layers of each part are reached, in words."""
    parts = [part_of(name) for name in names]
    return ", ".join(f"{parts.count(p)} {p}" for p in dict.fromkeys(sorted(parts))) or "none"


def by_block(names: list[str]) -> Values:
    """Return which share of the layers that are reached is in each part of the U-Net."""
    blocks = [name.partition(".")[0] for name in names]
    return {block: blocks.count(block) / max(1, len(blocks)) for block in BLOCKS}


def with_one_target(context: Context, hooks: Hooks) -> str:
    """Return which layers are reached when one kind of layer is asked for."""
    try:
        return counted(reached(fitted(context, hooks, target_modules=("attn2.to_k",))))
    except HubError:
        return "it is refused"


def measure(context: Context, hooks: Hooks) -> Measured:
    """Measure one ``make_lora``."""
    fit = fitted(context, hooks)
    fresh = fitted(context, hooks, moved=False)
    rank = context.lora_config().rank
    alpha = context.lora_config().effective_alpha
    louder = fitted(context, hooks, alpha=2 * alpha)
    wider = fitted(context, hooks, rank=rank + 2, alpha=alpha)
    dropping = fitted(context, hooks, dropout=0.5)
    names = reached(fit)
    return {
        "adapter.layers": {"reached": counted(names)},
        "adapter.blocks": by_block(names),
        "adapter.rank": {
            "of its change": highest_rank(fit),
            "with two more": highest_rank(wider),
        },
        "adapter.alpha": {
            "strength of a known change": strength(fit),
            "with twice the alpha": ratio(strength(louder), strength(fit)),
        },
        "adapter.target_modules": {"with attn2.to_k asked for": with_one_target(context, hooks)},
        "adapter.dropout": {
            "unasked, in training": varies(fit),
            "with 0.5, in training": varies(dropping),
        },
        "adapter.repeatable": {"twice the same, while drawing": varies(fit, training=False)},
        "adapter.parameters": parameters(fresh),
        "adapter.initial": initial(fresh),
        "adapter.linear": {"distance from a linear layer": nonlinearity(fit)},
        "adapter.gradients": {"gradient through it, of its change's": through(fit)},
        "adapter.lora_scale": lora_scale(fit),
    }


def ratio(a: float | None, b: float | None) -> float | None:
    """Return a quotient, or None."""
    return a / b if a is not None and b else None


def matrices(fit: Fitted) -> list[Tensor]:
    """Return the change of each linear layer that is reached, as a matrix (in, out)."""
    found = []
    with torch.no_grad():
        for name, (clean, live) in fit.layers().items():
            if isinstance(clean, nn.Linear) and ".attn2.to_" in name:
                unit = torch.eye(clean.in_features)[None]
                nothing = torch.zeros_like(unit)
                change = live(unit) - clean(unit) - (live(nothing) - clean(nothing))
                if float(change.norm()) > REACHED:
                    found.append(change[0])
    return found


def highest_rank(fit: Fitted) -> float | None:
    """Return the highest rank of a change of the layers of cross-attention."""
    ranks = []
    for matrix in matrices(fit):
        values = torch.linalg.svdvals(matrix.double())
        ranks.append(int((values > 1e-4 * values[0]).sum()))
    return float(max(ranks)) if ranks else None


def strength(fit: Fitted) -> float | None:
    """Return the root mean square of the numbers in the changes of cross-attention."""
    found = matrices(fit)
    if not found:
        return None
    return float(torch.cat([m.flatten() for m in found]).double().square().mean().sqrt())


def varies(fit: Fitted, *, training: bool = True) -> str:
    """Tell whether the same question gets another answer the second time."""
    for model in (fit.live.unet, fit.adapter):
        model.train(training)
    first, second = changes_of(fit), changes_of(fit)
    for model in (fit.live.unet, fit.adapter):
        model.eval()
    same = all(torch.equal(first[name], second[name]) for name in first)
    return "the same answer" if same else "another answer"


def parameters(fresh: Fitted) -> Values:
    """What is trainable."""
    mine = {id(p) for p in fresh.adapter.parameters()}
    outside = [
        p
        for part in ("unet", "vae", "text_encoder")
        for p in getattr(fresh.live, part).parameters()
        if p.requires_grad and id(p) not in mine
    ]
    own = list(fresh.adapter.parameters())
    return {
        "trainable numbers": float(sum(p.numel() for p in own if p.requires_grad)),
        "frozen tensors in the adapter": float(sum(not p.requires_grad for p in own)),
        "trainable tensors outside": float(len(outside)),
    }


def initial(fresh: Fitted) -> Values:
    """How the adapter's tensors start."""
    own = [p.detach().float() for p in fresh.adapter.parameters() if p.requires_grad]
    zero = [not bool(p.any()) for p in own]
    sizes = [
        float(p.square().mean().sqrt()) * p.shape[-1] ** 0.5
        for p, empty in zip(own, zero, strict=True)
        if not empty and p.dim() > 1
    ]
    return {
        "share that starts at zero": sum(zero) / max(1, len(own)),
        "size of the others, times the root of their width": statistics.mean(sizes)
        if sizes
        else None,
    }


def nonlinearity(fit: Fitted) -> float | None:
    """Return how far the changes are from linear: the sum's beside the sum of both."""
    worst: float | None = None
    with torch.no_grad():
        for clean, live in fit.layers().values():
            if not isinstance(clean, nn.Linear):
                continue
            a, b = question(clean, 1), question(clean, 2)
            zero = torch.zeros_like(a)

            def change(x: Tensor, clean: nn.Module = clean, live: nn.Module = live) -> Tensor:
                answer: Tensor = live(x) - clean(x)
                return answer

            base = change(zero)
            apart = change(a + b) - change(a) - change(b) + base
            size = float((change(a) - base).norm())
            if size > 1e-4:
                worst = max(worst or 0.0, float(apart.norm()) / size)
    return worst


def through(fit: Fitted) -> float | None:
    """Return how much of the change's gradient reaches what lies before the layer."""
    found = []
    for name, (clean, live) in fit.layers().items():
        if not isinstance(clean, nn.Linear) or ".attn2.to_" not in name:
            continue
        with torch.enable_grad():
            x = question(clean, 1).requires_grad_()
            weight = question(clean, 3).sum()
            change = (live(x) - clean(x)) * weight
            if float(change.detach().norm()) < 1e-5:
                continue
            (grad,) = torch.autograd.grad((change * change.detach()).sum(), x, allow_unused=True)
            # Of a linear change, half the gradient of its square along x is the square itself.
            along = 0.0 if grad is None else float((grad * x.detach()).sum())
            found.append(along / float(change.detach().square().sum()))
    return statistics.median(found) if found else None


def lora_scale(fit: Fitted) -> Values:
    """What half the strength and none leave of the change."""
    layers: list[Any] = [m for m in fit.adapter.modules() if hasattr(m, "lora_scale")]
    if not layers:
        return {"at half the strength": "it cannot be scaled", "at none": None}

    def change(scale: float) -> float:
        for layer in layers:
            layer.lora_scale = scale
        return sum(float(c.norm()) for c in changes_of(fit).values())

    whole, half, none = change(1.0), change(0.5), change(0.0)
    change(1.0)
    if not whole:
        return {"at half the strength": None, "at none": None}
    return {"at half the strength": half / whole, "at none": none / whole}
