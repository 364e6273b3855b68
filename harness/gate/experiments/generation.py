"""generate on the embedded base with an adapter that was moved: what the pictures depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from harness.gate.audit import Deed, watching
from harness.gate.experiments.context import Context, attach, perturb
from harness.worker.returned import check_pictures
from toolkit.core.errors import HubError
from toolkit.core.settings import DatasetConfig, GenerateConfig

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

PROMPTS = ("a red apple, on a white background", "a blue fish, on a green background")
STEPS = 3
SIDE = 64
DROPOUT = 0.4

# By how much the adapter is moved: until pictures show it, in the mean of 0 to 255.
SIZES, SEEN = (0.05, 0.15, 0.45), 2.0

Pixels = np.ndarray[Any, np.dtype[np.float64]]


@dataclass
class GenerationSeen:
    """Differences between pictures, as the mean over pixels of 0 to 255, unless said otherwise."""

    base: list[Pixels]  # before the adapter was moved
    plain: list[Pixels]
    again: list[Pixels]
    other_seed: list[Pixels]
    shifted: list[Pixels]  # the second prompt alone, seed + 1
    guided: list[Pixels]
    negative: list[Pixels]
    more_steps: list[Pixels]
    training_mode: list[Pixels]  # modules were in training mode, with dropout
    off: list[Pixels] | None  # lora_scale 0; None when it was refused
    refused: str
    can_be_scaled: bool
    size_fault: str
    calls: dict[int, int]  # num_inference_steps -> calls of the U-Net
    effects: tuple[float, float] | None  # of lora_scale 0.5 and 1 on the U-Net's first answer
    nearest_training: float  # smallest distance of a picture from a training picture
    deeds: list[Deed] = field(default_factory=list)


class Drawing:
    """Calls generate on one pipeline and watches the U-Net.

    Args:
        context: The run.
        pipeline: The embedded base with an adapter.
        adapter: That adapter.
    """

    def __init__(
        self, context: Context, pipeline: StableDiffusionPipeline, adapter: nn.Module
    ) -> None:
        self.context, self.pipeline, self.adapter = context, pipeline, adapter
        self.answers: list[Tensor] = []
        pipeline.unet.register_forward_hook(self._keep)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # a copy of the U-Net carries the hook below, and all that hangs on it

    def _keep(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output.sample
        self.answers.append(first.detach().float().clone())

    def __call__(self, prompts: Sequence[str] = PROMPTS, **changes: Any) -> list[Pixels]:
        """Draw, and return the pictures as numbers (H, W, 3)."""
        self.answers.clear()
        options = {"num_inference_steps": STEPS, "height": SIDE, "width": SIDE, "seed": 40}
        config = GenerateConfig(**{**options, **changes})
        torch.manual_seed(len(prompts))
        pictures = self.context.hooks.call(
            "generate",
            pipeline=self.pipeline,
            adapter=self.adapter,
            prompts=list(prompts),
            config=config,
        )
        where = self.context.finder.of_hook("generate")
        check_pictures(pictures, len(prompts), (config.width, config.height), where)
        return [np.asarray(picture, dtype=np.float64) for picture in pictures]


def run(context: Context) -> GenerationSeen:
    """Draw a dozen pairs of small pictures."""
    pipeline = context.workshop.real()
    adapter = attach(context, pipeline)
    draw = Drawing(context, pipeline, adapter)
    training = context.hooks.call(
        "make_dataset", data_dir=context.data_dir, resolution=SIDE, config=DatasetConfig()
    )
    with watching(context.finder, context.scratch) as deeds:
        base = draw()
        for size in SIZES:  # a product of matrices hardly notices a small one
            perturb(adapter, size)
            plain, calls = draw(), {STEPS: len(draw.answers)}
            if distance(plain, base) > SEEN:
                break
        more_steps = draw(num_inference_steps=2 * STEPS)
        calls[2 * STEPS] = len(draw.answers)
        off, refused = scaled_off(draw)
        seen = GenerationSeen(
            base=base,
            plain=plain,
            again=draw(),
            other_seed=draw(seed=41),
            shifted=draw(PROMPTS[1:], seed=41),
            guided=draw(guidance_scale=1.0),
            negative=draw(negative_prompt="a blue fish, on a white background"),
            more_steps=more_steps,
            training_mode=in_training_mode(draw),
            off=off,
            refused=refused,
            can_be_scaled=any(hasattr(module, "lora_scale") for module in adapter.modules()),
            size_fault=size_fault(draw),
            calls=calls,
            effects=effects(draw, refused),
            nearest_training=0.0,
            deeds=deeds,
        )
    with context.hooks.blaming("make_dataset"):
        seen.nearest_training = nearest(plain, training)
    return seen


def scaled_off(draw: Drawing) -> tuple[list[Pixels] | None, str]:
    """Draw with lora_scale 0, which a hook may refuse."""
    try:
        return draw(lora_scale=0.0), ""
    except HubError as error:
        return None, error.what


def size_fault(draw: Drawing) -> str:
    """Draw another size and another number of pictures, and say what was wrong."""
    try:
        draw(PROMPTS[:1], width=96, height=64)
        draw((*PROMPTS, *PROMPTS, PROMPTS[0]), num_inference_steps=1)
    except HubError as error:
        return error.what
    return ""


def in_training_mode(draw: Drawing) -> list[Pixels]:
    """Draw while everything is in training mode and the U-Net's dropout layers are switched on."""
    unet = draw.pipeline.unet
    layers = [module for module in unet.modules() if isinstance(module, nn.Dropout)]
    before = [layer.p for layer in layers]
    for layer in layers:
        layer.p = DROPOUT
    unet.train()
    draw.adapter.train()
    try:
        return draw()
    finally:
        for layer, share in zip(layers, before, strict=True):
            layer.p = share
        unet.eval()
        draw.adapter.eval()


def effects(draw: Drawing, refused: str) -> tuple[float, float] | None:
    """Return how much lora_scale 0.5 and 1 change the U-Net's first answer, along the full change.

    The first answer is to the same noise every time; later ones also follow from it.
    """
    if refused:
        return None
    first: dict[float, Tensor] = {}
    for scale in (0.0, 0.5, 1.0):
        draw(PROMPTS[:1], lora_scale=scale, num_inference_steps=1)
        if not draw.answers:
            return None
        first[scale] = draw.answers[0]
    full = first[1.0] - first[0.0]
    size = float(full.norm())
    if first[0.5].shape != full.shape or size < 1e-6:
        return None
    half = first[0.5] - first[0.0]
    return float((half * full).sum()) / size**2, size / float(first[0.0].norm().clamp_min(1e-9))


def nearest(pictures: list[Pixels], training: Any) -> float:
    """Return the smallest mean distance of a picture from a training picture, 0 to 255."""
    known = [np.asarray(to_image(training[i][0]), dtype=np.float64) for i in range(len(training))]
    return min(float(np.abs(p - k).mean()) for p in pictures for k in known)


def to_image(pixels: Tensor) -> Image.Image:
    """Return pixel_values (3, H, W) in [-1, 1] as a picture of SIDE x SIDE pixels."""
    bytes_ = ((pixels + 1) * 127.5).clamp(0, 255).byte().permute(1, 2, 0).contiguous()
    return Image.fromarray(bytes_.numpy()).resize((SIDE, SIDE))


def distance(first: list[Pixels], second: list[Pixels]) -> float:
    """Return the mean difference of two lists of pictures, 0 to 255."""
    return max(float(np.abs(a - b).mean()) for a, b in zip(first, second, strict=True))
