"""The profile of ``make_dataset``: test cards, a row of plain pictures, and odd captions."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.gate.audit import watching
from harness.gate.experiments.context import Context
from harness.gate.experiments.files_read import HANDED, files, written
from harness.gate.experiments.measuring import both
from harness.gate.profile import test_cards
from harness.gate.profile.card_contents import (
    CORNERS,
    DIM,
    GREYS,
    LARGER,
    PARTS,
    PERIODS,
    ROW,
    SIDE,
    SWATCHES,
    TEXTS,
    part_name,
)
from harness.gate.profile.odd_pictures import ODD_PICTURES, Odd
from harness.gate.profile.property import Measured, Profiled, Value
from harness.worker.hooks import Hooks
from toolkit.core.errors import HubError
from toolkit.core.settings import DatasetConfig

Values = dict[str, Value]
Items = list[tuple[Tensor, str]]
_numbers = itertools.count()

TIMES = 3  # that an item is asked for again: chance may bring the same twice
NO_DIFFERENCE = "changes nothing"

# How much red, green and blue there is -> a word.
NAMES: dict[tuple[str, ...], str] = {
    ("full", "none", "none"): "red",
    ("none", "full", "none"): "green",
    ("none", "none", "full"): "blue",
    ("full", "full", "full"): "white",
    ("none", "none", "none"): "black",
    ("half", "half", "half"): "grey",
}


def run(context: Context) -> Profiled:
    """Read the cards the contribution's way and the reference's."""
    return both(context, "dataset", measure)


def measure(context: Context, hooks: Hooks) -> Measured:
    """Measure one ``make_dataset``, watched."""
    with watching(context.finder, context.scratch / "free") as deeds:
        found = look(context, hooks)
    return {**found, "dataset.files": files(deeds), "dataset.writes": {"it writes": written(deeds)}}


def look(context: Context, hooks: Hooks) -> Measured:
    """Measure what becomes of pictures and captions."""
    cards: dict[str, Tensor] = {}
    for name in test_cards.cards():
        items = read(context, hooks, functools.partial(test_cards.write_card, name=name))
        if items and items[0][0].dim() == 3 and len(items[0][0]) == 3:
            cards[name] = items[0][0]
    row = read(context, hooks, test_cards.write_row)
    texts = read(context, hooks, test_cards.write_texts)
    other = read(context, hooks, test_cards.write_texts, seed=1)
    return {
        "dataset.place": place(cards.get("across"), cards.get("down"), cards.get("upright")),
        "dataset.sharpness": sharpness(cards),
        "dataset.tone": tone(cards),
        "dataset.colour": colour(cards),
        "dataset.parts": everywhere(cards.get("everything")),
        "dataset.form": {
            **form(row),
            "shape at another resolution": form(larger(context, hooks))["shape"],
            "type of numbers": number_type(context, hooks),
        },
        "dataset.settings": settings(context, hooks, texts),
        "dataset.transparency": {
            "see-through pixels become": level(cards.get("see_through")),
            "half see-through ones become": level(cards.get("half_clear")),
        },
        "dataset.orientation": orientation(cards.get("turned")),
        "dataset.sixteen_bits": {"a half-bright picture becomes": level(cards.get("sixteen_bits"))},
        "dataset.odd_pictures": {
            f"one {odd.title}": odd_picture(context, hooks, odd) for odd in ODD_PICTURES
        },
        "dataset.length": length(row, texts),
        "dataset.order": {"the row comes as": ", ".join(names(row))},
        "dataset.pairs": pairs(row),
        "dataset.captions": captions(texts),
        "dataset.seed": {"another seed": difference(texts, other)},
        "dataset.repeatable": repeatable(context, hooks),
    }


def odd_picture(context: Context, hooks: Hooks, odd: Odd) -> str:
    """Say what becomes of one odd picture: the colours of its halves, or that it is not there."""
    try:
        items = read(context, hooks, odd.write)
    except HubError as error:
        return f"raises {error.what}"
    if len(items) != 1 or items[0][0].dim() != 3 or len(items[0][0]) != 3:
        return f"becomes {len(items)} items of it"
    pixels = items[0][0]
    half = pixels.shape[1] // 2
    upper, lower = pixels[:, : half - 2], pixels[:, half + 2 :]
    return f"is {colour_name(upper)} above {colour_name(lower)}"


def colour_name(part: Tensor) -> str:
    """Name the mean colour of a part (3, H, W) of a picture by the nearest of twenty-seven."""
    words = [
        ("none", "half", "full")[int((float(v) + 1) * 1.5 * 0.999)]
        for v in part.mean((1, 2)).clamp(-1, 1)
    ]
    return NAMES.get(tuple(words), " ".join(words))


def folder_of(context: Context, write: Callable[[Path], None]) -> Path:
    """Return a new folder with some of the pictures."""
    folder = context.scratch / f"cards-{next(_numbers)}" / HANDED
    write(folder)
    return folder


def make(
    context: Context, hooks: Hooks, folder: Path, resolution: int = SIDE, **changes: Any
) -> Any:
    """Call ``make_dataset`` with the contribution's settings."""
    settings = context.hooks.owner.file.settings.dataset.model_dump()
    config = DatasetConfig(**{**settings, **changes})
    return hooks.call("make_dataset", data_dir=folder, resolution=resolution, config=config)


def read(context: Context, hooks: Hooks, write: Callable[[Path], None], **changes: Any) -> Items:
    """Return every item of a new folder."""
    made = make(context, hooks, folder_of(context, write), **changes)
    return [(pixels.float(), caption) for pixels, caption in items_of(hooks, made)]


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


def form(row: Items) -> Values:
    """The size and the type of numbers of the items."""
    sizes = sorted({" x ".join(map(str, pixels.shape)) for pixels, _ in row})
    return {"shape": ", ".join(sizes)}


def larger(context: Context, hooks: Hooks) -> Items:
    """Return the items of a folder that was read before, at another resolution."""
    folder = folder_of(context, test_cards.write_row)
    first = make(context, hooks, folder)
    made = make(context, hooks, folder, resolution=LARGER)
    items_of(hooks, first)
    return items_of(hooks, made)


def number_type(context: Context, hooks: Hooks) -> str:
    """Return the type of an item's numbers, which ``read`` makes float32."""
    made = make(context, hooks, folder_of(context, test_cards.write_row))
    with hooks.blaming("make_dataset"):
        return str(made[0][0].dtype).removeprefix("torch.") if len(made) else "none"


def settings(context: Context, hooks: Hooks, texts: Items) -> Values:
    """What each setting of a data set changes in eight items."""

    def asked(**changes: Any) -> Items:
        return read(context, hooks, test_cards.write_texts, **changes)

    word = asked(trigger_word="sks")
    wide = functools.partial(test_cards.write_card, name="across")
    buckets = read(context, hooks, wide, buckets=True)
    return {
        "items with repeats": len(asked(repeats=3)) / max(1, len(texts)),
        "items with flip": len(asked(flip=True)) / max(1, len(texts)),
        "a trigger word": "is added" if any("sks," in text for _, text in word) else "is not",
        "shuffled captions": difference(texts, asked(shuffle_captions=True)),
        "a wide picture in buckets": form(buckets)["shape"],
    }


def level(card: Tensor | None) -> float | None:
    """Return the mean of a card."""
    return None if card is None else float(card.mean())


def orientation(card: Tensor | None) -> Values:
    """Whether a camera's note to turn the picture is followed."""
    if card is None:
        return {}
    upper = card[:, : card.shape[1] // 2].mean((1, 2))
    return {"red in the upper half": float(upper[0]), "blue in the upper half": float(upper[2])}


def length(row: Items, texts: Items) -> Values:
    """How many items are made of the pictures of a folder."""
    return {
        "items for each picture of the row": len(row) / len(ROW),
        "different pictures": float(len({tuple(p.mean((1, 2)).tolist()) for p, _ in row})),
        "items for each picture with odd captions": len(texts) / len(TEXTS),
    }


def names(row: Items) -> list[str]:
    """Return the colour of each item: the nearest, whatever its range of values is."""
    table = {name: torch.tensor(rgb).float() / 127.5 - 1 for name, rgb in ROW_COLOURS.items()}
    low = min((float(p.min()) for p, _ in row), default=-1.0)
    high = max((float(p.max()) for p, _ in row), default=1.0)
    span = max(high - low, 1e-6)
    found = []
    for pixels, _ in row:
        mean = ((pixels - low) / span * 2 - 1).mean((1, 2))
        found.append(min(table, key=lambda name: float((table[name] - mean).norm())))
    return found


ROW_COLOURS = dict(ROW.values())


def pairs(row: Items) -> Values:
    """Whether each picture has its own caption, red and blue told apart or not."""
    shares = []
    for order in ((0, 1, 2), (2, 1, 0)):
        shown = names([(p[list(order)], c) for p, c in row]) if row and len(row[0][0]) == 3 else []
        # A caption that names no colour was changed, which dataset.captions tells.
        pairs_of = [(n, c) for n, (_, c) in zip(shown, row, strict=False) if names_colour(c)]
        if pairs_of:
            shares.append(sum(name in caption for name, caption in pairs_of) / len(pairs_of))
    return {"share with their own": max(shares) if shares else None}


def names_colour(caption: str) -> bool:
    """Tell whether a caption names one of the row's colours."""
    return any(colour in caption for colour in ROW_COLOURS)


def captions(texts: Items) -> Values:
    """The whole text of odd captions; the items are told apart by their colour.

    How much white space stands between two words is no difference: the tokenizer reads it as one.
    """
    by_number: dict[int, str] = {}
    variants: set[str] = set()  # of the first one, where an item is made of it several times
    for number, (_, caption) in zip(numbers(texts), texts, strict=True):
        words = " ".join(caption.split())
        by_number.setdefault(number, words)
        variants |= {words} if number == 0 else set()
    first, *_ = TEXTS
    found: Values = {f"variants of the one {first}": " | ".join(sorted(variants))}
    for i, name in enumerate(TEXTS):
        found[name] = repr(shortened(by_number[i])) if i in by_number else None
    return found


def numbers(texts: Items) -> list[int]:
    """Return the number of each item's text: by its colour, or by its place if colours are lost."""
    corners = torch.tensor(CORNERS).float() / 255  # (8, 3)
    means = torch.stack([pixels.flatten(1).mean(1) for pixels, _ in texts] or [torch.zeros(3)])
    if means.shape[1] != corners.shape[1]:
        return [i % len(TEXTS) for i in range(len(texts))]
    low, high = means.min(), means.max()
    nearest = torch.cdist((means - low) / (high - low).clamp_min(1e-6), corners).argmin(dim=1)
    if len(set(nearest.tolist())) < min(len(texts), len(TEXTS)):
        return [i % len(TEXTS) for i in range(len(texts))]
    return nearest.tolist()[: len(texts)]


def shortened(text: str) -> str:
    """Return a text with its middle left out if it is long."""
    return text if len(text) <= 60 else f"{text[:25]} ... {text[-15:]} ({len(text)} characters)"


def difference(first: Items, second: Items) -> str:
    """Say what differs between two readings."""
    if len(first) != len(second):
        return "gives another number of items"
    pixels = any(
        a.shape != b.shape or not a.equal(b) for (a, _), (b, _) in zip(first, second, strict=True)
    )
    words = any(a != b for (_, a), (_, b) in zip(first, second, strict=True))
    parts = [name for name, changed in (("pixels", pixels), ("captions", words)) if changed]
    return f"changes {' and '.join(parts)}" if parts else NO_DIFFERENCE


def repeatable(context: Context, hooks: Hooks) -> Values:
    """Whether an item is the same when it is asked for again, and in a data set made anew."""
    folder = folder_of(context, test_cards.write_row)
    test_cards.write_card(folder, "everything")  # a plain picture is its own mirror image
    made = make(context, hooks, folder)
    first, *again = [items_of(hooks, made) for _ in range(1 + TIMES)]
    torch.manual_seed(4)
    anew = [items_of(hooks, make(context, hooks, folder)) for _ in range(TIMES)]
    return {"asked again": any_difference(first, again), "made anew": any_difference(first, anew)}


def items_of(hooks: Hooks, made: Any) -> Items:
    """Ask a data set for every item."""
    with hooks.blaming("make_dataset"):
        return [(made[i][0].detach().clone(), str(made[i][1])) for i in range(len(made))]


def any_difference(first: Items, others: list[Items]) -> str:
    """Say what differs between a reading and the first other one that is not the same."""
    told = [difference(first, other) for other in others]
    return next((one for one in told if one != NO_DIFFERENCE), NO_DIFFERENCE)
