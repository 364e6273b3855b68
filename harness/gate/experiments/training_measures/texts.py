"""Which text comes with each picture."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.gate.experiments.training_measures.numbers import distinct
from harness.gate.experiments.training_measures.samples import Samples, spread_by
from harness.gate.experiments.training_trace import Trace
from harness.gate.profile.property import Values

SAME_TEXT = 0.02  # relative distance of two embeddings that are the same text


@dataclass
class Texts:
    """Which text the U-Net was given with each sample."""

    samples: Samples

    def __post_init__(self) -> None:
        table = self.samples.trace.texts  # (8, S, D)
        self.empty = len(table) - 1
        self.keys: list[str] = []
        self.far: list[float] = []
        self.lengths: set[int] = set()
        unknown: list[Tensor] = []
        flat = table.flatten(1)
        norms = flat.norm(dim=1).clamp_min(1e-9)
        for call in self.samples.calls:
            rows = call.states
            if len(rows) != len(call.sample):
                rows = rows.expand(len(call.sample), *rows.shape[1:])
            self.lengths.add(rows.shape[1])
            fits = rows.shape[1:] == table.shape[1:]
            apart = torch.cdist(rows.flatten(1), flat) / norms if fits else None
            nearest = apart.min(dim=1) if apart is not None else None
            for i, row in enumerate(rows):
                if nearest is not None and float(nearest.values[i]) <= SAME_TEXT:
                    self.keys.append(str(int(nearest.indices[i])))
                    self.far.append(float(nearest.values[i]))
                elif float(row.abs().max()) < 1e-6:
                    self.keys.append("zeros")
                else:
                    self.keys.append(f"unknown {place_in(unknown, row)}")
        own = [str(int(card)) for card in self.samples.card]
        self.own = [key == mine for key, mine in zip(self.keys, own, strict=True)]
        self.dropped_key = self._dropped_key()

    def _dropped_key(self) -> str:
        """Return the text that stands for dropped captions: one that comes with all pictures."""
        empty, total = str(self.empty), max(1, len(self.keys))
        if self.keys.count(empty) > 0.02 * total:
            return empty
        others = [k for k, own in zip(self.keys, self.own, strict=True) if not own]
        if not others:
            return empty
        common = max(set(others), key=others.count)
        pictures = {
            int(c) for c, k in zip(self.samples.card, self.keys, strict=True) if k == common
        }
        asked = self.samples.trace.config.caption_dropout
        if len(pictures) < 6 or others.count(common) < max(0.8 * len(others), 0.3 * asked * total):
            return empty
        return common

    @property
    def readable(self) -> bool:
        """Whether texts can be told by their embeddings: those of a trained encoder move."""
        return bool(self.keys) and not self.samples.trace.trains_text

    @property
    def dropped(self) -> Tensor:
        """Which samples have no caption, (N,) bool."""
        return torch.tensor([key == self.dropped_key for key in self.keys], dtype=torch.bool)

    def name_of(self, key: str) -> str:
        """Return a text in words."""
        if key == str(self.empty):
            return "the empty caption"
        return f"picture {int(key) + 1}'s caption" if key.isdigit() else key.split()[0]


def place_in(known: list[Tensor], row: Tensor) -> int:
    """Return the number of a text among the unknown ones; at most 32 are kept."""
    for i, other in enumerate(known):
        if other.shape == row.shape and float((other - row).norm()) <= SAME_TEXT * float(
            other.norm().clamp_min(1e-9)
        ):
            return i
    if len(known) < 32:
        known.append(row)
    return len(known)


def captions(texts: Texts) -> Values:
    """Whether a picture is trained with its own caption."""
    if not texts.readable:
        return {"share with another picture's": None}
    kept = [k for k in texts.keys if k != texts.dropped_key]
    others = [
        not own and key.isdigit() and key != str(texts.empty)
        for key, own in zip(texts.keys, texts.own, strict=True)
        if key != texts.dropped_key
    ]
    return {"share with another picture's": sum(others) / len(kept) if kept else None}


def strange_texts(trace: Trace) -> float | None:
    """Return the share of the texts that were encoded that are no caption, whole or left out."""
    encoded = trace.encoded
    known = set(trace.captions)
    return sum(ids not in known for ids in encoded) / len(encoded) if encoded else None


def embeddings(texts: Texts) -> Values:
    """Whether the text reaches the U-Net as ``generate`` would send it."""
    if not texts.readable:
        return {}
    kept = [k for k in texts.keys if k != texts.dropped_key]
    unknown = sum(k.startswith("unknown") or k == "zeros" for k in kept)
    return {
        "tokens": ", ".join(map(str, sorted(texts.lengths))),
        "share of other texts": unknown / len(kept) if kept else None,
        "distance from a caption's": statistics.median(texts.far) if texts.far else None,
    }


def caption_dropout(texts: Texts) -> Values:
    """How often a caption is dropped."""
    dropped = texts.dropped
    if not texts.readable:
        return {}
    steps = texts.samples.step
    shares = torch.stack([dropped[steps == s].double().mean() for s in distinct(steps)])
    share = float(dropped.double().mean())
    size = len(dropped) / max(1, len(shares))
    chance = (share * (1 - share) / max(1.0, size)) ** 0.5
    together = float(shares.std()) / chance if len(shares) > 2 and chance > 0 else None
    return {
        "share": share,
        "together, as a multiple of chance": together,
        "difference between pictures": spread_by(texts.samples.card, dropped.double()),
    }


def same_dropped(first: Texts, second: Texts) -> bool:
    """Tell whether two trainings dropped the captions of the same places in their first steps."""
    if not (first.readable and second.readable):
        return True
    count = min(len(first.keys), len(second.keys))
    return torch.equal(first.dropped[:count], second.dropped[:count])
