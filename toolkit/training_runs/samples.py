"""Pictures drawn during training, each beside the base's from the same noise."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from toolkit.core import atomic
from toolkit.core.settings import GenerateConfig
from toolkit.images.sheet import comparison_sheet, open_picture

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

# The contribution's own `generate`, on its pipeline and adapter.
Draw = Callable[[Sequence[str], GenerateConfig], Sequence[Image.Image]]

SMALLEST_SIDE_PX = 128  # smaller pictures are enlarged on the sheet


class Samples:
    """Draws the same prompts from the same noise each time.

    Args:
        pipeline: The base with the adapter attached.
        draw: Draws with it.
        prompts: What to draw.
        config: How, and the seed of the first.
        folder: Where ``base-<n>.png`` and ``step-<s>.png`` go.
        autocast: Opens the precision that the run computes in.
    """

    def __init__(
        self,
        pipeline: StableDiffusionPipeline,
        draw: Draw,
        prompts: Sequence[str],
        config: GenerateConfig,
        folder: Path,
        autocast: AbstractContextManager[Any],
    ) -> None:
        self._pipeline = pipeline
        self._draw = draw
        self._prompts = prompts
        self._config = config
        self._folder = folder
        self._autocast = autocast

    def draw_base(self) -> None:
        """Draw with the untrained adapter, which draws what the base does; once per run."""
        paths = [self._folder / f"base-{n}.png" for n in range(len(self._prompts))]
        if all(path.is_file() for path in paths):
            return
        for path, picture in zip(paths, self._pictures(), strict=True):
            write_png(picture, path)

    def draw_sheet(self, step: int, path: Path | None = None) -> Path:
        """Draw with the adapter as it is after a step; return the sheet base | LoRA."""
        pictures = self._pictures()
        base = [open_picture(self._folder / f"base-{n}.png") for n in range(len(pictures))]
        side_px = max(self._config.width, SMALLEST_SIDE_PX)
        columns = [("base", base), (f"step {step}", pictures)]
        path = path or self._folder / f"step-{step:06d}.png"
        write_png(comparison_sheet(columns, self._prompts, side_px), path)
        return path

    def _pictures(self) -> list[Image.Image]:
        with undisturbed(self._pipeline), self._autocast:
            return list(self._draw(self._prompts, self._config))


def write_png(picture: Image.Image, path: Path) -> None:
    """Write a picture atomically."""
    with atomic.replacing(path) as temporary:
        picture.save(temporary, "PNG")


@contextmanager
def undisturbed(pipeline: StableDiffusionPipeline) -> Iterator[None]:
    """Leave generators, modes and devices as they were, whatever is drawn inside the block.

    Meanwhile all parts are on the U-Net's device: training may have put some aside.
    """
    parts = (pipeline.unet, pipeline.text_encoder, pipeline.vae)
    modes = [(module, module.training) for part in parts for module in part.modules()]
    devices = [part.device for part in parts]
    python, legacy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        for part in parts:
            part.to(pipeline.unet.device)
            part.eval()
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            for part, device in zip(parts, devices, strict=True):
                part.to(device)
            random.setstate(python)
            np.random.set_state(legacy)
