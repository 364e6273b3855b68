"""A decoder that is watched, and a stand-in for the U-Net that knows each text by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from harness.gate.components import KnownDecoder
from harness.gate.spies import UNetCall

PROMPTS = (
    "a red apple, on a white table, in the morning",
    "a blue fish, under water",
    "an old (red:1.3) car, at night",
    "a house",
    "two small birds with long tails on a thin branch of an old tree, seen from below, in the rain",
)
NEGATIVE = "blurry, with a frame"
BESIDE = ("negative", "empty")  # texts that no picture is drawn for


class Decoder(KnownDecoder):
    """Decodes, and keeps what it was given and what it made."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Tensor] = []
        self.made: list[Tensor] = []

    def forward(self, latents: Tensor, *rest: Any) -> Tensor:
        """Return pictures (n, 3, H, W)."""
        made = super().forward(latents, *rest)
        self.given.extend(latents.detach().float().clone())
        self.made.extend(made.detach().float().clone())
        return made


@dataclass
class Sketcher:
    """Answers for the U-Net while pictures are drawn: a fixed pattern for each prompt.

    Args:
        texts: Embeddings (5, S, D) of the prompts, of the negative prompt and of no words.
        adapter: Whose strength is looked at in each call.
        loud: Factor of the answers; 0 leaves what the sampler makes of nothing.
    """

    texts: Tensor
    adapter: nn.Module
    loud: float = 1.0
    calls: list[UNetCall] = field(default_factory=list)
    keys: list[list[str]] = field(default_factory=list)  # of each call, the text of each row
    scales: set[str] = field(default_factory=set)
    precisions: set[str] = field(default_factory=set)
    besides: set[str] = field(default_factory=set)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __call__(self, call: UNetCall) -> Tensor:
        """Note the call and answer."""
        self.calls.append(call)
        keys = [self.key(row) for row in call.states]
        self.keys.append(keys)
        self.scales |= {
            str(m.lora_scale) for m in self.adapter.modules() if hasattr(m, "lora_scale")
        }
        half = call.autocast
        self.precisions.add("half, by autocast" if half else str(call.output_dtype)[6:])
        self.besides |= set(call.besides)
        generator = torch.Generator().manual_seed(8)
        pattern = torch.randn(call.sample.shape[1:], generator=generator)  # (4, h, w)
        rows = [pattern * (0.0 if key in BESIDE else self.loud) for key in keys]
        return torch.stack(rows).to(call.output_dtype)

    def key(self, row: Tensor) -> str:
        """Name a text by its embedding (S, D)."""
        if row.shape != self.texts.shape[1:]:
            return "another"
        apart = (self.texts - row).flatten(1).norm(dim=1) / row.norm().clamp_min(1e-9)
        nearest = int(apart.argmin())
        if float(apart[nearest]) > 0.01:
            return "another"
        return (*map(str, range(1, len(PROMPTS) + 1)), "negative", "empty")[nearest]
