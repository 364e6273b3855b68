"""What becomes of a test card: place, sharpness, tone, colour."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.gate.profile.card_contents import DIM, GREYS, PARTS, PERIODS, SWATCHES, part_name
from harness.gate.profile.property import Values


def place(across: Tensor | None, down: Tensor | None, upright: Tensor | None) -> Values:
    """Which part of a picture is shown, and which way round, from three cards with a ramp each."""
    if across is None or down is None or upright is None:
        return {}
    left, right, bars = edges((across.mean(0) + 1) / 2)
    upper, lower, more = edges(((down.mean(0) + 1) / 2).T)
    top, bottom, _ = edges(((upright.mean(0) + 1) / 2).T)
    crossed = float(across.mean((0, 2)).diff().mean()) * across.shape[-2] / 2
    return {
        "left edge, as a share of the picture": left,
        "right edge": right,
        "upper edge": upper,
        "lower edge": lower,
        "upper edge of a tall one": top,
        "lower edge of a tall one": bottom,
        "turned by a quarter": "yes" if abs(crossed) > 0.2 else "no",
        "bars": bars + more,
    }


def edges(ramp: Tensor) -> tuple[float, float, float]:
    """Return what a ramp (H, W) from 0 to 1 shows at both ends, and the share that is no ramp."""
    width = ramp.shape[-1]
    tones = ramp.mean(0)  # (W,)
    inner = tones[width // 4 : -(width // 4)]
    slope = float(inner.diff().mean()) * width
    first = float(inner.mean()) - slope / 2
    wanted = first + slope * (torch.arange(width) + 0.5) / width
    return first, first + slope, float(((tones - wanted).abs() > 0.15).float().mean())


def sharpness(cards: dict[str, Tensor]) -> Values:
    """How much is left of waves in a picture that is made four times smaller."""
    found: Values = {}
    for name in (*PERIODS, "small", "palette"):
        card = cards.get(name)
        contrast = None if card is None else float(card.mean((0, 1)).std())
        found[f"contrast of {name} waves"] = contrast
    return found


def tone(cards: dict[str, Tensor]) -> Values:
    """What becomes of four plain greys, and how many are left of 256."""
    found: Values = {name: float(cards[name].median()) for name in GREYS if name in cards}
    if "dim" in cards:
        ordered = cards["dim"].flatten().sort().values.chunk(2)
        found |= {name: float(p.median()) for name, p in zip(DIM, ordered, strict=True)}
    if "smooth" in cards:
        greys = cards["smooth"][0].flatten().tolist()
        found["different greys in a smooth ramp"] = float(len(set(greys)))
    return found


def colour(cards: dict[str, Tensor]) -> Values:
    """What becomes of four plain colours."""
    found: Values = {}
    for name in SWATCHES:
        if name in cards:
            values = cards[name].flatten(1).median(1).values.tolist()
            for channel, value in zip(("red", "green", "blue"), values, strict=True):
                found[f"{name}'s {channel}"] = value
    return found


def everywhere(card: Tensor | None) -> Values:
    """The mean of each part of a picture that is nowhere flat."""
    if card is None:
        return {}
    parts = torch.nn.functional.adaptive_avg_pool2d(card.mean(0, keepdim=True), PARTS)[0]
    rows, names = parts.tolist(), range(PARTS)
    return {part_name(row, column): rows[row][column] for row in names for column in names}


def level(card: Tensor | None) -> float | None:
    """Return the mean of a card."""
    return None if card is None else float(card.mean())


def orientation(card: Tensor | None) -> Values:
    """Whether a camera's note to turn the picture is followed."""
    if card is None:
        return {}
    upper = card[:, : card.shape[1] // 2].mean((1, 2))
    return {"red in the upper half": float(upper[0]), "blue in the upper half": float(upper[2])}
