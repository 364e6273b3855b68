"""Count what a scored training does: steps, calls of the U-Net, pictures, learning rates.

Counting changes no bit of the training: it looks at shapes and settings, and computes nothing on
the way. It runs in the contribution's process, so code that means to hide from it can; what such
code computes is in the kernel's books all the same (``harness/sandbox/meter.py``).
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from harness.worker.jobs import Watched
from toolkit.core.settings import HookName

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

PROMPT_SEED = 29
FAR = 1e9

# Taken before a contribution is imported: what it may later put in its place is not asked.
processor_time = time.process_time


class Counter:
    """What has been counted since before the contribution was imported.

    ``attached`` is the relative change of the base's prediction by the untrained adapter.
    """

    def __init__(self) -> None:
        self.steps = self.calls = self.trained = self.other = self.outside = 0
        self.rates: tuple[float, float] | None = None
        self.attached = 0.0
        self.hook_seconds: dict[HookName, float] = {}
        self.training = False  # whether the train hook runs
        self._stepped: set[int] = set()

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Count one call of ``step``; optimisers side by side make one round together."""
        if type(optimizer).__module__.startswith("accelerate"):
            return  # only wraps the real one, which comes here too
        if not self.training:
            self.outside += 1
            return
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if not self._stepped or held & self._stepped:
            self.steps += 1
            self._stepped = set()
        self._stepped |= held
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        low, high = self.rates or (rates[0], rates[0])
        self.rates = (min(low, *rates), max(high, *rates))

    def call(self, sample: Any) -> None:
        """Count one call of the U-Net on ``sample`` (B, 4, h, w)."""
        pictures = len(sample) if isinstance(sample, Tensor) else 0
        if not self.training:
            self.outside += torch.is_grad_enabled()
            return
        self.calls += 1
        if torch.is_grad_enabled():
            self.trained += pictures
        else:
            self.other += pictures

    @contextmanager
    def in_training(self) -> Iterator[None]:
        """Count what happens inside as the train hook's."""
        self.training = True
        try:
            yield
        finally:
            self.training = False

    @contextmanager
    def timing(self, hook: HookName) -> Iterator[None]:
        """Add up the processor time of what happens inside as a hook's."""
        began = processor_time()
        try:
            yield
        finally:
            spent = max(0.0, processor_time() - began)
            self.hook_seconds[hook] = self.hook_seconds.get(hook, 0.0) + spent

    def watched(self) -> Watched:
        """Return the counts."""
        return Watched(
            steps=self.steps,
            calls=self.calls,
            trained_pictures=self.trained,
            other_pictures=self.other,
            outside=self.outside,
            rates=self.rates,
            attached=self.attached,
            hook_seconds=self.hook_seconds,
        )


@contextmanager
def counting(counter: Counter, unet: torch.nn.Module) -> Iterator[None]:
    """Count every optimiser step of this process, and every call of U-Nets of this class.

    The class's method is wrapped and not the module hooked: ``unet.forward(...)`` and copies of the
    U-Net pass there as well.
    """
    kind: Any = type(unet)
    plain = kind.forward
    note = torch.compiler.disable(counter.call)  # type: ignore[no-untyped-call]

    @functools.wraps(plain)
    def forward(self: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        note(sample)
        return plain(self, sample, *args, **kwargs)

    handle = register_optimizer_step_pre_hook(lambda optimizer, *_: counter.step(optimizer))
    kind.forward = forward
    try:
        yield
    finally:
        kind.forward = plain
        handle.remove()


def prediction(pipeline: StableDiffusionPipeline) -> Tensor:
    """Return what the U-Net predicts for one fixed input, (1, C, h, w), at half size.

    C is 4 in Stable Diffusion 1.4; a base may have more latent channels.

    It draws from a generator of its own and leaves gradients, modes and generators as they were.
    """
    unet = pipeline.unet
    generator = torch.Generator().manual_seed(PROMPT_SEED)
    side = max(8, int(unet.config.sample_size) // 2)
    shape = (1, int(unet.config.in_channels), side, side)
    sample = torch.randn(shape, generator=generator).to(unet.device)
    width, tokens = unet.config.cross_attention_dim, pipeline.tokenizer.model_max_length
    states = torch.randn(1, tokens, width, generator=generator).to(unet.device)
    modes = [(module, module.training) for module in unet.modules()]
    unet.eval()
    try:
        with torch.no_grad():
            answer: Tensor = unet(sample, 500, encoder_hidden_states=states).sample
    finally:
        for module, mode in modes:
            module.training = mode
    return answer.float()


def distance(one: Tensor, other: Tensor) -> float:
    """Return ||one - other|| / ||one||, at most FAR; what is not finite is that far."""
    apart = float((one - other).norm() / one.norm().clamp_min(1e-12))
    return min(apart, FAR) if math.isfinite(apart) else FAR
