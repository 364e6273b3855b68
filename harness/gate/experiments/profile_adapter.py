"""The profile of ``make_lora``: every layer is asked by itself, before and after a known change."""

from __future__ import annotations

from harness.gate.experiments.adapter_measures.answers import (
    distance,
    elsewhere,
    nonlinearity,
    through,
    with_gradient,
)
from harness.gate.experiments.adapter_measures.chance import afterwards, dropped, varies
from harness.gate.experiments.adapter_measures.fitted import fitted
from harness.gate.experiments.adapter_measures.layers import in_words, with_one_target
from harness.gate.experiments.adapter_measures.strength import (
    highest_rank,
    lora_scale,
    named_twice,
    narrowest,
    ratio,
    strength,
)
from harness.gate.experiments.adapter_measures.tensors import (
    initial,
    most_alike,
    outside,
    parameters,
    seeded,
)
from harness.gate.experiments.context import Context
from harness.gate.experiments.measuring import both
from harness.gate.profile.adapter_properties import CONVOLUTION, TARGETS
from harness.gate.profile.property import Measured, Profiled
from harness.worker.hooks import Hooks


def run(context: Context) -> Profiled:
    """Attach the contribution's adapter and the reference's."""
    return both(context, "adapter", measure)


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
