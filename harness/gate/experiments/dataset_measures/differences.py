"""What differs between two readings: by a setting, and for no reason."""

from __future__ import annotations

import functools
from typing import Any

import torch

from harness.gate.experiments.context import Context
from harness.gate.experiments.dataset_measures.reading import (
    Items,
    folder_of,
    form,
    items_of,
    make,
    read,
)
from harness.gate.profile import test_cards
from harness.gate.profile.property import Values
from harness.worker.hooks import Hooks

TIMES = 3  # that an item is asked for again: chance may bring the same twice
NO_DIFFERENCE = "changes nothing"


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


def any_difference(first: Items, others: list[Items]) -> str:
    """Say what differs between a reading and the first other one that is not the same."""
    told = [difference(first, other) for other in others]
    return next((one for one in told if one != NO_DIFFERENCE), NO_DIFFERENCE)
