"""Where a step is computed: on which device, in which precision, by how many processes and parts.

None of it changes what a step is: one update from ``batch_size`` pictures.

Shapes in comments: B batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from diffusers import ModelMixin
from torch import Tensor, nn

from toolkit.fast_layers import fast_layers

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from toolkit.core.settings import TrainConfig


def start_accelerator(pipeline: StableDiffusionPipeline, config: TrainConfig) -> Accelerator:
    """Return accelerate's view of the machine: device, processes, precision.

    Raises:
        ValueError: The batch cannot be shared out, or the device cannot compute in fp16.
    """
    on_cpu = pipeline.device.type == "cpu"
    if on_cpu and config.mixed_precision == "fp16":
        # accelerate would compute in float32 and not say so.
        raise ValueError("A processor cannot train in fp16: set mixed_precision to no (or bf16).")
    # accelerate keeps one state per program and refuses to change it; several seeds or
    # contributions may be trained in one program. The processes' own group (PartialState) stays.
    AcceleratorState._reset_state()
    accelerator = Accelerator(
        cpu=on_cpu,
        mixed_precision=config.mixed_precision,
        gradient_accumulation_steps=1,  # the loop sums up its parts itself
    )
    parts = accelerator.num_processes * config.gradient_accumulation_steps
    if config.batch_size < parts:
        raise ValueError(
            f"A batch of {config.batch_size} pictures cannot be computed in {parts} parts "
            f"({accelerator.num_processes} processes, {config.gradient_accumulation_steps} parts "
            f"each). Use batch_size {parts} or more: it counts the pictures of a whole step."
        )
    pipeline.to(accelerator.device)
    return accelerator


@contextmanager
def training_mode(
    pipeline: StableDiffusionPipeline,
    trains_text: bool,
    config: TrainConfig,
    lora_hook: Callable[..., Any],
) -> Iterator[None]:
    """Let the trained models train inside the block, and keep the others out of the way.

    Args:
        pipeline: The base with the adapter attached.
        trains_text: Whether the text encoder is trained, too.
        config: Gradient checkpointing, precision, fast layers.
        lora_hook: The forward hook that adds ``layer.lora``, for ``fast_layers``.
    """
    trained = [pipeline.unet, *([pipeline.text_encoder] if trains_text else [])]
    done = [pipeline.vae, *([] if trains_text else [pipeline.text_encoder])]
    device = pipeline.unet.device
    for model in trained:
        model.train()
        if config.gradient_checkpointing:
            switch_checkpointing(model, on=True)
    for model in done:
        model.to("cpu")  # All pictures and captions are encoded: their memory is free again.
    try:
        with ExitStack() as stack:
            if config.fast_layers != "off" and config.mixed_precision == "no":
                packed = config.fast_layers == "all"
                for model in trained:  # the same numbers in fewer operations
                    stack.enter_context(fast_layers(model, lora_hook, pack_convolutions=packed))
            yield
    finally:
        for model in trained:
            model.eval()
            if config.gradient_checkpointing:
                switch_checkpointing(model, on=False)
        for model in done:
            model.to(device)


def switch_checkpointing(model: Any, *, on: bool) -> None:
    """Switch gradient checkpointing of a diffusers or transformers model on or off.

    Non-reentrant: the other kind gives no gradient when a block's inputs need none, and before
    the first adapted layer of a frozen base they never do.
    """
    if isinstance(model, ModelMixin):  # diffusers; always non-reentrant
        (model.enable_gradient_checkpointing if on else model.disable_gradient_checkpointing)()
    elif on:
        model.activation_checkpointing_enable({"use_reentrant": False})
        # transformers makes the embeddings ask for gradients, which this kind does not need, and
        # would leave them so when checkpointing is switched off.
        model.disable_input_require_grads()
    else:
        model.activation_checkpointing_disable()


def own_rows(accelerator: Accelerator, config: TrainConfig) -> tuple[Tensor, ...]:
    """Return the rows of the batch that this process computes, in its parts."""
    rows = torch.arange(config.batch_size)
    own: Tensor = rows.tensor_split(accelerator.num_processes)[accelerator.process_index]
    return tuple(own.tensor_split(config.gradient_accumulation_steps))


def sum_up(accelerator: Accelerator, parameters: list[nn.Parameter], loss: Tensor) -> Tensor:
    """Add up the gradients and losses of all processes; return the loss of the whole batch.

    An adapter has a few megabytes: one message per step, and the U-Net needs no wrapper.
    """
    if accelerator.num_processes == 1:
        return loss
    gradients = [p.grad for p in parameters if p.grad is not None]
    message = torch.cat([loss[None], *(gradient.flatten() for gradient in gradients)])
    loss, *summed = accelerator.reduce(message, "sum").split([1, *(g.numel() for g in gradients)])
    for gradient, total in zip(gradients, summed, strict=True):
        gradient.copy_(total.view_as(gradient))
    return loss[0]


def check_finite(
    accelerator: Accelerator, step: int, loss: float, grad_norm: float, config: TrainConfig
) -> None:
    """Stop before anything that is not finite gets into the adapter.

    Raises:
        FloatingPointError: With the step, and what is likely to be the cause.
    """
    if math.isfinite(loss + grad_norm):
        return
    scaler = accelerator.scaler  # of fp16 only
    if math.isfinite(loss) and scaler is not None and scaler.get_scale() > 1:
        return  # Its scale was too high: the optimiser leaves this step out and lowers it.
    cause = (
        f"A smaller learning rate than {config.learning_rate} usually helps."
        if step > 1 and config.mixed_precision == "no"
        else "Nothing was trained yet: look at the base's weights."
        if step == 1
        else f"Try mixed_precision no or bf16, or less than {config.learning_rate}."
    )
    raise FloatingPointError(f"Step {step}: loss {loss}, gradient norm {grad_norm}. {cause}")
