"""Settings by goal: they supply what was not typed, and are printed before a run starts.

The figures for bases of 256 px and more are those on which the trainers people use agree (kohya's
documentation, OneTrainer's preset, the diffusers examples): 1e-4, attention and MLP layers, alpha =
rank, clipped to 1. The embedded base is another matter, see TINY_FACTOR.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Bases drawn at fewer pixels than this are small models such as models/tiny-sd.
TINY_BELOW_PX = 256

# A small U-Net's layers are narrow, so the same step of A and B changes them less. Ten times SD
# 1.4's rate is what the hub's tracks train the embedded base with (TrainSettings' default).
TINY_FACTOR = 10.0

# Nine pictures get 225 steps of 4, half as much again as a track's budget of 75 steps of 8.
TINY_STEPS = 4

# Up to this size packing a large U-Net's convolutions was measured to win.
PACKED_UP_TO_PX = 512


def clamp(number: float, low: int, high: int) -> int:
    """Return the whole number next to ``number`` that is in the range."""
    return max(low, min(high, round(number)))


@dataclass(frozen=True)
class Preset:
    """A goal: its words, its number of steps for so many pictures, its settings."""

    summary: str
    steps: Callable[[int], int]
    dataset: dict[str, Any]
    lora: dict[str, Any]
    train: dict[str, Any]


PRESETS = {
    "subject": Preset(
        "one thing or person, from 5 to 30 pictures",
        steps=lambda pictures: clamp(100 * pictures, 500, 2000),
        dataset={},
        lora={"rank": 8},
        train={"learning_rate": 1e-4, "batch_size": 2, "caption_dropout": 0.05},
    ),
    "style": Preset(
        "how pictures look, from 20 pictures and more",
        steps=lambda pictures: clamp(50 * pictures, 1000, 3000),
        # A style has no left and right, and must not stick to single captions.
        dataset={"flip": True},
        lora={"rank": 16},
        train={"learning_rate": 1e-4, "batch_size": 4, "caption_dropout": 0.1},
    ),
    "smoke": Preset(
        "does it run at all: ten steps",
        steps=lambda pictures: 10,
        dataset={},
        lora={"rank": 4},
        train={"learning_rate": 1e-4, "batch_size": 2},
    ),
}

WARM_UP = 0.05  # share of the steps


# Packing convolutions costs twice their weights: 4.4 GB at Stable Diffusion 1.4's size.
PACKING_NEEDS_BYTES = 8 << 30


def fast_layers_for(native_px: int, resolution: int, free_bytes: int | None = None) -> str:
    """Return the fast form that wins on a processor: docs/speed.md has the figures.

    Args:
        native_px: Of the base.
        resolution: Of the pictures.
        free_bytes: Memory that is free; None: enough.
    """
    large = native_px >= TINY_BELOW_PX
    enough = free_bytes is None or free_bytes >= PACKING_NEEDS_BYTES
    return "all" if large and resolution <= PACKED_UP_TO_PX and enough else "lora"


def train_settings(
    preset: Preset, pictures: int, native_px: int, resolution: int, free_bytes: int | None = None
) -> dict[str, Any]:
    """Return the training settings of a preset.

    Args:
        preset: Which.
        pictures: How many there are.
        native_px: What the base was trained with.
        resolution: Of the pictures, pixels.
        free_bytes: Memory that is free; None: enough.
    """
    steps = preset.steps(pictures)
    settings = {
        "steps": steps,
        "lr_schedule": "cosine",
        "lr_warmup_steps": round(WARM_UP * steps),
        "fast_layers": fast_layers_for(native_px, resolution, free_bytes),  # the same numbers
        **preset.train,
    }
    if native_px < TINY_BELOW_PX:
        settings["learning_rate"] *= TINY_FACTOR
        settings["batch_size"] = 4  # it costs twice a batch of 1, and learns four times as much
        if preset is not PRESETS["smoke"]:
            settings["steps"] = steps // TINY_STEPS
            settings["lr_warmup_steps"] = round(WARM_UP * settings["steps"])
    return settings
