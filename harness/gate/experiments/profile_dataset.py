"""The profile of ``make_dataset``: test cards, a row of plain pictures, and odd captions."""

from __future__ import annotations

import functools

from torch import Tensor

from harness.gate.audit import watching
from harness.gate.experiments.context import Context
from harness.gate.experiments.dataset_measures.captions import captions
from harness.gate.experiments.dataset_measures.cards import (
    colour,
    everywhere,
    level,
    orientation,
    place,
    sharpness,
    tone,
)
from harness.gate.experiments.dataset_measures.differences import difference, repeatable, settings
from harness.gate.experiments.dataset_measures.odd import odd_picture
from harness.gate.experiments.dataset_measures.reading import form, larger, number_type, read
from harness.gate.experiments.dataset_measures.rows import length, names, pairs
from harness.gate.experiments.files_read import files, written
from harness.gate.experiments.measuring import both
from harness.gate.profile import test_cards
from harness.gate.profile.odd_pictures import ODD_PICTURES
from harness.gate.profile.property import Measured, Profiled
from harness.worker.hooks import Hooks


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
