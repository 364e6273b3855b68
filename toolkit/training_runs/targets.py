"""The layers that target modules mean: those whose names end with one of them.

A preset stands for several endings; the presets are in ``toolkit/core/settings.py``.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from toolkit.core.settings import TARGET_PRESETS


def fitting_names(target_modules: Sequence[str], layers: list[str]) -> set[str]:
    """Return the names that end with one of the targets.

    Args:
        target_modules: Presets, or endings in whole parts: ``"to_q"`` or ``"attn2.to_q"``.
        layers: Dotted names of the layers that can take an adapter.

    Raises:
        ValueError: A target fits no layer; the message names near ones.
    """
    chosen: set[str] = set()
    unused = []
    for target in target_modules:
        endings = TARGET_PRESETS.get(target, (target,))
        # A leading dot on both sides makes "to_q" fit "attn1.to_q" and not "attn1.xto_q".
        dotted = tuple(f".{ending}" for ending in endings)
        fitting = {name for name in layers if f".{name}".endswith(dotted)}
        chosen |= fitting
        if not fitting:
            unused.append(target)
    if unused:
        raise ValueError(describe_unused(unused, layers))
    return chosen


def describe_unused(unused: list[str], layers: list[str]) -> str:
    """Say which targets fit nothing, and what they may have meant."""
    # Every ending of a layer's name would be a valid target: "to_out.0", "attn1.to_out.0", ...
    endings = {".".join(name.split(".")[-parts:]) for name in layers for parts in (1, 2, 3)}
    known = sorted(endings | set(TARGET_PRESETS))
    lines = []
    for target in unused:
        near = difflib.get_close_matches(target, known, n=3, cutoff=0.5)
        hint = f"; near names: {', '.join(near)}" if near else ""
        lines.append(f"No linear layer or convolution is named {target!r}{hint}.")
    return "\n".join(lines)
