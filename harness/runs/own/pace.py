"""How long a step of the base takes on this device: measured, once for a track.

Training a LoRA is a forward pass and a backward pass that reaches the input; the small matrices
beside the layers cost little. So the pace of the base alone foretells that of most contributions.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from toolkit.core.record import Record

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from torch import Tensor

REPEATS = 2  # of which the quicker counts: what else the machine does only makes it slower


class Pace(Record):
    """What one process needs for one item (one picture in one pass of the U-Net)."""

    step_s: float = Field(gt=0, description="forward and backward, seconds")
    forward_s: float = Field(gt=0, description="forward alone, seconds")
    load_s: float = Field(gt=0, description="to import torch and load the base, seconds")
    activation_bytes: int = Field(ge=0, description="kept of one step between the two passes")


def measure(base: Path, device: str, resolution: int, batch_size: int, threads: int) -> Pace:
    """Load a base and time a few passes of its U-Net.

    Args:
        base: Folder in diffusers layout, or a ``.safetensors`` file.
        device: Where it computes.
        resolution: Side of the pictures, pixels.
        batch_size: Items in one pass.
        threads: As many as a worker has.

    Raises:
        BaseModelError: The base cannot be loaded, or does not predict noise.
        EnvironmentFault: There is no such device.
    """
    began = time.monotonic()
    import torch

    from harness.protocol.base_model import load_pipeline, require_noise
    from toolkit.training_runs.memory import saved_bytes

    before = torch.get_num_threads()
    pipeline = load_pipeline(base, device)
    require_noise(pipeline)
    loaded = time.monotonic() - began
    pipeline.unet.requires_grad_(True)  # else nothing would be kept for the way back
    kept = saved_bytes(pipeline, batch_size, resolution, "no")
    pipeline.unet.requires_grad_(False)
    torch.set_num_threads(threads)
    try:
        step = min(timed(pipeline, resolution, batch_size, True) for _ in range(REPEATS + 1))
        forward = min(timed(pipeline, resolution, batch_size, False) for _ in range(REPEATS))
    finally:
        torch.set_num_threads(before)
    return Pace(
        step_s=step / batch_size,
        forward_s=forward / batch_size,
        load_s=loaded,
        activation_bytes=kept,
    )


def timed(
    pipeline: StableDiffusionPipeline, resolution: int, batch_size: int, backward: bool
) -> float:
    """Return the seconds of one pass of the U-Net, there and perhaps back."""
    import torch

    unet = pipeline.unet
    side = resolution // pipeline.vae_scale_factor
    shape = (batch_size, unet.config.in_channels, side, side)  # (B, 4, h, w)
    tokens = pipeline.tokenizer.model_max_length
    hidden = torch.zeros((batch_size, tokens, unet.config.cross_attention_dim), device=unet.device)
    noisy = torch.zeros(shape, device=unet.device, requires_grad=backward)
    timesteps = torch.zeros(batch_size, dtype=torch.long, device=unet.device)
    wait(unet.device)
    began = time.perf_counter()
    with torch.set_grad_enabled(backward):
        noise_pred: Tensor = unet(noisy, timesteps, encoder_hidden_states=hidden).sample
        if backward:
            noise_pred.square().mean().backward()  # type: ignore[no-untyped-call]
    wait(unet.device)
    return time.perf_counter() - began


def wait(device: object) -> None:
    """Wait until a graphics card has done what it was asked."""
    import torch

    if str(device).startswith("cuda"):
        torch.cuda.synchronize()
