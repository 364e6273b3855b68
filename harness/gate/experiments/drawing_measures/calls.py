"""Which text each row of the U-Net's calls was asked with."""

from __future__ import annotations

import torch

from harness.gate.experiments.drawing_measures.studio import Drawn
from harness.gate.experiments.drawing_measures.watched import BESIDE, PROMPTS
from harness.gate.spies import UNetCall


def is_pair(call: UNetCall) -> bool:
    """Tell whether a call asks for the same latents twice: with the negative prompt and without."""
    half = len(call.sample) // 2
    return len(call.sample) % 2 == 0 and torch.equal(call.sample[:half], call.sample[half:])


def first_calls(drawn: Drawn) -> list[tuple[UNetCall, list[str], list[int]]]:
    """Return the calls at the first timestep, with their texts and the rows of the prompts."""
    calls = drawn.sketcher.calls
    found = []
    for call, keys in zip(calls, drawn.sketcher.keys, strict=True):
        if call.timesteps[0] == calls[0].timesteps[0]:
            found.append((call, keys, rows_of_prompts(call, keys)))
    return found


def rows_of_prompts(call: UNetCall, keys: list[str]) -> list[int]:
    """Return the rows of a call that are asked with a prompt, by the texts of the rows."""
    half = len(keys) // 2
    if not is_pair(call):
        return [] if all(key in BESIDE for key in keys) else list(range(len(keys)))
    # Diffusers puts the prompts last; a loop of one's own may put them first.
    first = all(key in BESIDE for key in keys[half:]) and keys[0] not in BESIDE
    return list(range(half)) if first else list(range(half, len(keys)))


def texts(drawn: Drawn, *, guided: bool) -> str:
    """Return which texts the first timestep sees, in order: the prompts, or what is beside them."""
    found = []
    for _, keys, rows in first_calls(drawn):
        found += [key for i, key in enumerate(keys) if (i in rows) == guided]
    return ", ".join(found) or "none"


def beside(drawn: Drawn) -> float:
    """Return the share of steps that ask with a text that no picture is drawn for, too.

    Of steps, not of calls: a loop may ask with both texts in one call or in two.
    """
    calls = list(zip(drawn.sketcher.calls, drawn.sketcher.keys, strict=True))
    every = {float(call.timesteps[0]) for call, _ in calls}
    asked = {float(call.timesteps[0]) for call, keys in calls if any(k in BESIDE for k in keys)}
    return len(asked) / max(1, len(every))


def exchanged(drawn: Drawn) -> float | None:
    """Return the share of pictures whose first latents came with another picture's prompt."""
    keys = [keys[row] for _, keys, rows in first_calls(drawn) for row in rows]
    own = [str(i + 1) for i in range(len(PROMPTS))]
    pairs = [(key, mine) for key, mine in zip(keys, own, strict=False) if key in own]
    return sum(key != mine for key, mine in pairs) / len(pairs) if pairs else None
