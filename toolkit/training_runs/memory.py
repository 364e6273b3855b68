"""Estimate the memory of a training step, and suggest what to try if it is too much.

    needed = in use now + activations + 4 x bytes of the adapter's trained parameters
             + on a processor the bytes of the U-Net's convolutions

Activations are what autograd keeps of one part of a batch between forward and backward. They are
not guessed: the U-Net is run once on fake tensors, which have shapes and no numbers, and what
autograd would keep is added up. A small U-Net is run on real ones: that is over sooner.
Checkpointing needs 60 % of it: 1.5 of 2.5 GB, measured at SD 1.4's size and 512 px on a processor.

The four copies of the adapter are weights, gradients and AdamW's two moments. On a processor
oneDNN holds a second copy of convolution weights, in the order in which it reads them.
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil
import torch
from torch import Tensor, nn

from toolkit.core.settings import TrainConfig

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

GIB = 2**30
CHECKPOINTING_KEEPS = 0.6
SMALL_BYTES = 1 << 26  # weights of a U-Net that is run in less time than fake tensors take
SMALL_LATENTS = 16 * 8 * 8  # of all pictures of a step: 16 of 64 pixels


class Estimate(NamedTuple):
    """Bytes on the device that computes."""

    in_use: int
    activations: int
    adapter: int
    packed: int
    available: int

    @property
    def needed(self) -> int:
        """Bytes at the peak of a step."""
        return self.in_use + self.more

    @property
    def more(self) -> int:
        """Bytes that training adds to what is in use."""
        return self.activations + self.adapter + self.packed

    def sentence(self) -> str:
        """Say it to a person."""
        return (
            f"Memory: about {self.needed / GIB:.1f} GiB at the peak of a step "
            f"({self.in_use / GIB:.1f} in use, {self.activations / GIB:.2f} activations, "
            f"{self.adapter / GIB:.2f} adapter, {self.packed / GIB:.2f} packed convolutions); "
            f"{self.available / GIB:.1f} GiB are free."
        )


def estimate(
    pipeline: StableDiffusionPipeline, adapter: nn.Module, config: TrainConfig, resolution: int
) -> Estimate:
    """Estimate the peak of a step from the models that are loaded.

    Args:
        pipeline: With the adapter attached.
        adapter: Its trained parameters are counted.
        config: Batch, parts, precision, checkpointing.
        resolution: Side of the pictures, pixels.
    """
    device = pipeline.unet.device
    rows = -(-config.batch_size // config.gradient_accumulation_steps)
    activations = saved_bytes(pipeline, rows, resolution, config.mixed_precision)
    if config.gradient_checkpointing:
        activations = int(activations * CHECKPOINTING_KEEPS)
    trained = sum(p.numel() * p.element_size() for p in adapter.parameters() if p.requires_grad)
    if device.type == "cuda":
        available, _ = torch.cuda.mem_get_info(device)
        in_use = torch.cuda.memory_allocated(device)
    else:
        available, in_use = psutil.virtual_memory().available, psutil.Process().memory_info().rss
    convolutions = (m for m in pipeline.unet.modules() if isinstance(m, nn.Conv2d))
    packed = sum(m.weight.numel() * m.weight.element_size() for m in convolutions)
    if device.type != "cpu":
        packed = 0
    return Estimate(in_use, activations, 4 * trained, packed, available)


def saved_bytes(
    pipeline: StableDiffusionPipeline, rows: int, resolution: int, precision: str
) -> int:
    """Return the bytes that autograd keeps of one forward pass of the U-Net."""
    unet, kept = pipeline.unet, {}
    weights = {id(p) for p in unet.parameters()}
    side = resolution // pipeline.vae_scale_factor
    width = unet.config.cross_attention_dim
    tokens = pipeline.tokenizer.model_max_length
    device = unet.device

    def count(tensor: Tensor) -> Tensor:
        if id(tensor) not in weights and not isinstance(tensor, nn.Parameter):
            storage = tensor.untyped_storage()
            kept[id(storage)] = (storage, storage.nbytes())
        return tensor

    half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    small = sum(p.nbytes for p in unet.parameters()) <= SMALL_BYTES
    small = small and rows * side * side <= SMALL_LATENTS
    with contextlib.nullcontext() if small else fake_tensors():
        noisy = torch.empty((rows, unet.config.in_channels, side, side), device=device)
        timesteps = torch.zeros(rows, dtype=torch.long, device=device)
        hidden = torch.empty((rows, tokens, width), device=device)
        hooks = torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor)
        with hooks, torch.autocast(device.type, dtype=half, enabled=half is not None):
            unet(noisy, timesteps, encoder_hidden_states=hidden)
    return sum(size for _, size in kept.values())


def fake_tensors() -> AbstractContextManager[Any]:
    """Open a mode in which tensors have shapes and no numbers."""
    from torch._subclasses.fake_tensor import FakeTensorMode  # imports sympy and more

    return FakeTensorMode(allow_non_fake_inputs=True)


def peak_now(device: Any) -> int:
    """Return the most memory that was in use so far, bytes: on the graphics card, or resident."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return int(psutil.Process().memory_info().rss)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception says that memory ran out, on a graphics card or a processor."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and "allocate memory" in str(error)
    )


def next_thing_to_try(config: TrainConfig, resolution: int, *, on_card: bool) -> str:
    """Name the mildest change that makes a step need less memory."""
    if config.gradient_accumulation_steps < config.batch_size:
        return (
            f"--gradient-accumulation-steps {config.batch_size}: the batch is computed picture by "
            "picture; the result is the same"
        )
    if not config.gradient_checkpointing:
        return "--gradient-checkpointing: a step takes a third longer; the result is the same"
    if on_card and config.mixed_precision == "no":
        return "--mixed-precision bf16 (or fp16 on older cards): half the activations"
    if resolution > 256:
        return f"--resolution {resolution * 3 // 4 // 64 * 64}: smaller pictures"
    return "a smaller --rank, or a computer with more memory"
