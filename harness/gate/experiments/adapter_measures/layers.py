"""Which layers the adapter changes, in words."""

from __future__ import annotations

import re
from collections import Counter

import torch

from harness.gate.experiments.adapter_measures.fitted import Fitted, fitted, question
from harness.gate.experiments.context import Context
from harness.worker.hooks import Hooks
from toolkit.core.errors import HubError

REACHED = 1e-5  # relative change of a layer's answer
BLOCK = re.compile(r"^.*(transformer_blocks|attentions|resnets|downsamplers|upsamplers)\.\d+\.")


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
