"""The profile of ``make_lora``: every layer is asked by itself, before and after a known change."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from harness.gate.experiments.context import Context, attach, perturb
from harness.gate.experiments.measuring import both
from harness.gate.experiments.pipelines import small_text_encoder
from harness.gate.profile.adapter_properties import CONVOLUTION, TARGETS
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
LONG = 64  # numbers that two tensors need for their likeness to say anything
REACHED = 1e-5  # relative change of a layer's answer
BLOCK = re.compile(r"^.*(transformer_blocks|attentions|resnets|downsamplers|upsamplers)\.\d+\.")
ZERO = torch.zeros(())


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


def run(context: Context) -> Profiled:
    """Attach the contribution's adapter and the reference's."""
    return both(context, "adapter", measure)


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


def reached(fit: Fitted) -> list[str]:
    """Return the names of the layers that the adapter changes."""
    found = []
    with torch.no_grad():
        for name, (clean, live) in fit.layers().items():
            before = clean(question(clean, 1))
            if float((live(question(clean, 1)) - before).norm()) > REACHED * float(before.norm()):
                found.append(name)
    return found


def label_of(name: str) -> str:
    """Return a layer's name without the block that it is in: what layers of one kind share."""
    return BLOCK.sub("", name)


def in_words(fit: Fitted, kind: str = "") -> str:
    """Return which layers of a kind are reached: all of a name, or how many. None means all."""
    names = [name for name in fit.layers() if kind in ("", kind_of(name))]
    whole = Counter(label_of(name) for name in names)
    mine = Counter(label_of(name) for name in reached(fit) if kind in ("", kind_of(name)))
    full = sorted(label for label, count in mine.items() if count == whole[label])
    parts = [f"all {', '.join(full)}"] if full else []
    parts += [f"{mine[name]} of {whole[name]} {name}" for name in sorted(set(mine) - set(full))]
    return "; ".join(parts) or "none"


def kind_of(name: str) -> str:
    """Return whether a layer belongs to self-attention, to cross-attention, or to neither."""
    return next((kind for kind in ("attn1", "attn2") if f".{kind}." in name), "others")


def with_one_target(context: Context, hooks: Hooks, target: str) -> str:
    """Return which layers are reached when one kind of layer is asked for."""
    try:
        return in_words(fitted(context, hooks, target_modules=(target,)))
    except HubError:
        return "it is refused"


def named_twice(context: Context, hooks: Hooks) -> float | None:
    """Return how strong layers are that two targets name, beside those that one names."""
    try:
        once = fitted(context, hooks, target_modules=("attn2.to_k",))
        twice = fitted(context, hooks, target_modules=("to_k", "attn2.to_k"))
    except HubError:
        return None
    return ratio(strength(twice), strength(once))


def narrowest(fit: Fitted) -> int:
    """Return the smaller side of the narrowest matrix of cross-attention."""
    layers = [c for n, (c, _) in fit.layers().items() if ".attn2.to_" in n]
    return min(min(layer.weight.shape) for layer in layers if isinstance(layer, nn.Linear))


def measure(context: Context, hooks: Hooks) -> Measured:
    """Measure one ``make_lora``."""
    fit = fitted(context, hooks)
    fresh = fitted(context, hooks, moved=False)
    rank = context.lora_config().rank
    alpha = context.lora_config().effective_alpha
    wider = fitted(context, hooks, rank=rank + 2, alpha=alpha)
    stronger = fitted(context, hooks, alpha=1.5 * alpha)
    quieter = fitted(context, hooks, alpha=alpha / 2)
    widest = fitted(context, hooks, rank=narrowest(fit), alpha=alpha)
    dropping = fitted(context, hooks, dropout=0.5)
    other = fitted(context, hooks, moved=False, seed=4)
    return {
        "adapter.cross_attention": {"reached": in_words(fit, "attn2")},
        "adapter.self_attention": {"reached": in_words(fit, "attn1")},
        "adapter.layers": {"reached": in_words(fit, "others")},
        "adapter.rank": {
            "of its change": highest_rank(fit),
            "with two more": highest_rank(wider),
            "with as many as the narrowest layer is wide": highest_rank(widest),
        },
        "adapter.alpha": {
            "strength of a known change": strength(fit),
            "with half the alpha": ratio(strength(quieter), strength(fit)),
            "with half as much again": ratio(strength(stronger), strength(fit)),
            "with two more of rank": ratio(strength(wider), strength(fit)),
        },
        "adapter.target_modules": {
            f"with {target} asked for": with_one_target(context, hooks, target)
            for target in TARGETS
        }
        | {"strength of a layer that is named twice": named_twice(context, hooks)},
        "adapter.convolutions": {
            f"with {CONVOLUTION} asked for": with_one_target(context, hooks, CONVOLUTION)
        },
        "adapter.dropout": {
            "with 0.5, in training": varies(dropping),
            "spread that it makes, beside the change": dropped(dropping),
        },
        "adapter.chance": {"unasked, in training": varies(fit)},
        "adapter.repeatable": {"twice the same, while drawing": varies(fit, training=False)},
        "adapter.outside": {"trainable tensors outside": outside(fresh)},
        "adapter.parameters": parameters(fit, rank),
        "adapter.initial": {
            **initial(fit, fresh),
            "most alike in two layers": most_alike(fresh),
            "with another seed": seeded(fresh, other),
            "distance from the base": distance(fresh),
        },
        "adapter.generators": {"afterwards": afterwards(fresh, other)},
        "adapter.places": {"share of its change elsewhere": elsewhere(fit)},
        "adapter.linear": {"distance from a linear layer": nonlinearity(fit)},
        "adapter.gradients": {
            "gradient through it, of its change's": through(fit),
            "tensors that get one themselves": with_gradient(fit),
        },
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


def dropped(fit: Fitted) -> float | None:
    """Return how far dropout takes the changes from those without, as a share of their size."""
    clean = changes_of(fit)
    for model in (fit.live.unet, fit.adapter):
        model.train()
    noisy = changes_of(fit)
    for model in (fit.live.unet, fit.adapter):
        model.eval()
    size = sum(float(change.double().square().sum()) for change in clean.values())
    apart = sum(float((noisy[n] - c).double().square().sum()) for n, c in clean.items())
    return apart / size if size else None


def outside(fresh: Fitted) -> float:
    """Return how many tensors want a gradient and are not in the adapter."""
    mine = {id(p) for p in fresh.adapter.parameters()}
    models = (getattr(fresh.live, part) for part in ("unet", "vae", "text_encoder"))
    every = {id(p) for model in models for p in model.parameters() if p.requires_grad}
    return float(len(every - mine))


def of_the_unet(fit: Fitted) -> list[nn.Parameter]:
    """Return the adapter's tensors but those that belong to the text encoder."""
    others = {id(p) for p in fit.live.text_encoder.parameters()}
    return [p for p in fit.adapter.parameters() if id(p) not in others]


def sides_of(fit: Fitted) -> list[tuple[int, int]]:
    """Return outputs and inputs of the layers that are reached, as a LoRA sees them."""
    layers = fit.layers()
    weights: list[Any] = [layers[name][0].weight for name in reached(fit)]
    return [(len(w), w[0].numel() if w.dim() > 1 else 1) for w in weights]


def trainable_of(fit: Fitted) -> list[Tensor]:
    """Return the adapter's trainable tensors as they are, in float32."""
    return [p.detach().float() for p in fit.adapter.parameters() if p.requires_grad]


def parameters(fit: Fitted, rank: int) -> Values:
    """How much is trainable, beside a LoRA on the same layers, and what is not."""
    own, sides = of_the_unet(fit), sides_of(fit)
    trainable = sum(p.numel() for p in own if p.requires_grad)
    return {
        "trainable numbers, beside a LoRA's": trainable / (rank * sum(map(sum, sides)))
        if sides
        else None,
        "frozen tensors in the adapter": float(sum(not p.requires_grad for p in own)),
    }


def zeros_of_a_lora(fit: Fitted) -> float | None:
    """Return the share of numbers that start at zero in a LoRA of the layers that are reached."""
    sides = sides_of(fit)
    zeros = sum(out for out, _ in sides)  # B is (out, rank), A is (rank, in)
    return zeros / sum(map(sum, sides)) if sides else None


def initial(fit: Fitted, fresh: Fitted) -> Values:
    """How the adapter's tensors start."""
    own = trainable_of(fresh)
    zero = [not bool(p.any()) for p in own]
    numbers = sum(p.numel() for p, z in zip(own, zero, strict=True) if z) / max(
        1, sum(p.numel() for p in own)
    )
    sizes = [
        float(p.square().mean().sqrt()) * p.shape[-1] ** 0.5
        for p, empty in zip(own, zero, strict=True)
        if not empty and p.dim() > 1
    ]
    return {
        "share that starts at zero": sum(zero) / max(1, len(own)),
        "numbers that start at zero, beside a LoRA's": ratio(numbers, zeros_of_a_lora(fit)),
        "size of the others, times the root of their width": statistics.mean(sizes)
        if sizes
        else None,
    }


def starting(fresh: Fitted) -> list[Tensor]:
    """Return the adapter's trainable tensors whose numbers are not all alike."""
    return [p for p in trainable_of(fresh) if p.numel() > 1 and float(p.std()) > 0]


def most_alike(fresh: Fitted) -> float | None:
    """Return the largest correlation of two tensors of the same shape."""
    by_shape: dict[torch.Size, list[Tensor]] = {}
    for tensor in starting(fresh):
        by_shape.setdefault(tensor.shape, []).append(tensor.flatten())
    found = []
    for tensors in by_shape.values():
        if len(tensors) > 1 and len(tensors[0]) >= LONG:
            rows = torch.corrcoef(torch.stack(tensors)).abs().fill_diagonal_(0)
            found.append(float(rows.max()))
    return max(found) if found else None


def seeded(fresh: Fitted, other: Fitted) -> str:
    """Tell whether another seed starts with other tensors."""
    pairs = zip(starting(fresh), starting(other), strict=False)
    return "others" if any(not a.equal(b) for a, b in pairs) else "the same tensors"


def afterwards(fresh: Fitted, other: Fitted) -> str:
    """Tell whether torch's generator still follows from the seed after make_lora."""
    reset = torch.equal(fresh.chance, other.chance)
    return "the same for all seeds" if reset else "as the seed makes it"


@torch.no_grad()
def distance(fresh: Fitted) -> float:
    """Return how far a layer's answer is from the base's before training, at most, relatively."""
    return max(
        float((live(question(clean, 1)) - clean(question(clean, 1))).norm())
        / float(clean(question(clean, 1)).norm())
        for clean, live in fresh.layers().values()
    )


def around(place: int, reach: int) -> slice:
    """Return what a kernel that reaches so far can change when one place does."""
    return slice(place - reach, place + reach + 1)


@torch.no_grad()
def elsewhere(fit: Fitted) -> float | None:
    """Return the share of a change that lies elsewhere than the input it answers, at most."""
    found = []
    place: tuple[Any, ...]
    near: tuple[Any, ...]
    for clean, live in fit.layers().values():
        if isinstance(clean, nn.Conv2d):
            reach = clean.kernel_size[0] // 2
            if clean.stride[0] != 1:
                continue
            place, near = (..., 1, 4), (..., around(1, reach), around(4, reach))
        elif isinstance(clean, nn.Linear):
            place = near = (0, 2)
        else:
            continue
        nothing = torch.zeros_like(question(clean, 1))
        dot = nothing.clone()
        dot[place] = question(clean, 1)[place]
        change = (live(dot) - clean(dot)) - (live(nothing) - clean(nothing))
        whole = float(change.square().sum())
        if whole > 1e-8:
            change[near] = 0
            found.append(float(change.square().sum()) / whole)
    return max(found) if found else None


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


def with_gradient(fit: Fitted) -> float | None:
    """Return which share of the adapter's trainable tensors gets a gradient from the changes."""
    own = [p for p in of_the_unet(fit) if p.requires_grad]
    with torch.enable_grad():
        answers = [live(question(clean, 1)) for clean, live in fit.layers().values()]
        total = torch.stack([a.square().sum() for a in answers if a.requires_grad] or [ZERO]).sum()
        if not own or not total.requires_grad:
            return 0.0 if own else None
        grads = torch.autograd.grad(total, own, allow_unused=True)
    return sum(g is not None and bool(g.any()) for g in grads) / len(own)


def lora_scale(fit: Fitted) -> Values:
    """What half the strength and none leave of the change."""
    layers: list[Any] = [m for m in fit.adapter.modules() if hasattr(m, "lora_scale")]
    if not layers:
        return {"at half the strength": "it cannot be scaled"}

    def change(scale: float) -> float:
        for layer in layers:
            layer.lora_scale = scale
        return sum(float(c.norm()) for c in changes_of(fit).values())

    whole, half, twice, none = change(1.0), change(0.5), change(2.0), change(0.0)
    change(1.0)
    if not whole:
        return {}
    return {
        "at half the strength": half / whole,
        "at twice the strength": twice / whole,
        "at none": none / whole,
    }
