"""What a program may do with a live pipeline: each answers with what a caller sees of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from src.generate import generate, generate_image
from src.train import train
from tests.proofs.second_calls.state import FILES, MODELS, Pictures, State
from tests.src.support import build_pipeline
from toolkit.core.settings import GenerateConfig, TrainConfig
from toolkit.deltas.probing import add_delta, effective_delta
from toolkit.drawings.loras import add_loras, parse_lora

PROMPTS: Final = ("a red circle", "a dog")
Operation = Callable[[State], Any]


class Stop(Exception):
    """Something outside that ends a call in its middle."""


class Listener:
    """A reporter that may end the training after a step."""

    def __init__(self, last: int | None = None) -> None:
        self.last = last

    def step(self, step: int, loss: float) -> None:
        """Take a finished step."""
        if step == self.last:
            raise Stop


def draw(state: State, prompts: tuple[str, ...] = PROMPTS[:1], **settings: Any) -> list[Tensor]:
    """Draw with `generate`; return the pixels."""
    usual = {"num_inference_steps": 2, "height": 32, "width": 32, "seed": 5}
    config = GenerateConfig(**{**usual, **settings})
    pictures = generate(state.pipeline, state.adapter, list(prompts), config)
    return [torch.from_numpy(np.array(picture)) for picture in pictures]


def draw_plainly(state: State) -> Tensor:
    """Draw with `generate_image`, which takes its noise from torch's own generator."""
    torch.manual_seed(8)
    return torch.from_numpy(np.array(generate_image(PROMPTS[0], state.pipeline, 2)))


def fit(state: State, *, last: int | None = None, broken: bool = False, **settings: Any) -> Any:
    """Train two steps; return the losses."""
    config = TrainConfig(**{"steps": 2, "batch_size": 2, "learning_rate": 1e-2, **settings})
    data = Pictures(broken=broken)
    return train(state.pipeline, data, state.adapter, config, Listener(last)).losses


def fails(operation: Operation, *errors: type[Exception]) -> Operation:
    """Return an operation that must end in an error."""

    def do(state: State) -> str:
        try:
            operation(state)
        except errors as error:
            return type(error).__name__
        raise AssertionError("There was no error.")

    return do


@contextmanager
def breaking(module: torch.nn.Module, call: int) -> Iterator[None]:
    """Let the module's forward fail at a call inside the block."""
    calls = 0

    def hook(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Stop

    handle = module.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def broken_off(state: State, part: str, call: int, operation: Operation) -> Any:
    """Carry out an operation whose U-Net or VAE fails in its middle."""
    with breaking(getattr(state.pipeline, part), call):
        return operation(state)


def add(state: State, *uses: tuple[str, float]) -> int:
    """Add LoRA files to the weights."""
    files = [parse_lora(f"{state.folder / name}.safetensors:{weight}") for name, weight in uses]
    return add_loras(state.pipeline, tuple(files))


def add_misfit(state: State) -> int:
    """Add a file that fits, and one that is not there."""
    good = parse_lora(f"{state.folder / FILES[0]}.safetensors")
    gone = good.model_copy(update={"file": state.folder / "gone.safetensors"})
    return add_loras(state.pipeline, (good, gone))


def change(state: State) -> dict[str, dict[str, Tensor]]:
    """Read the adapter's change off the live models."""
    clean = build_pipeline()
    return {
        part: effective_delta(getattr(clean, part), getattr(state.pipeline, part))
        for part in ("unet", "text_encoder")
    }


def merged(state: State) -> dict[str, Tensor]:
    """Merge the change into a copy; the live models stay."""
    clean = build_pipeline()
    return dict(add_delta(clean.unet, change(state)["unet"]).state_dict())


def save_and_load(state: State) -> None:
    """Write the adapter's tensors aside, wipe them and read them again."""
    kept = {key: value.clone() for key, value in state.adapter.state_dict().items()}
    with torch.no_grad():
        for parameter in state.adapter.parameters():
            parameter.zero_()
    state.adapter.load_state_dict(kept)


def go_on_with_a_copy(state: State) -> None:
    """Replace the models by copies: the adapter is the copies' own."""
    models, state.adapter = copy.deepcopy(
        ({name: getattr(state.pipeline, name) for name in MODELS}, state.adapter)
    )
    for name, model in models.items():
        setattr(state.pipeline, name, model)


OPERATIONS: Final[dict[str, Operation]] = {
    "draw": draw,
    "draw two": partial(draw, prompts=PROMPTS),
    "draw wide": partial(draw, width=48),
    "draw without guidance": partial(draw, guidance_scale=1.0),
    "draw against a prompt": partial(draw, negative_prompt="a cat"),
    "draw at half strength": partial(draw, lora_scale=0.5),
    "draw with the base": partial(draw, lora_scale=0.0),
    "draw backwards": partial(draw, lora_scale=-1.0),
    "draw with ddim": partial(draw, scheduler="ddim"),
    "draw with euler_a": partial(draw, scheduler="euler_a"),
    "draw with dpm++_2m": partial(draw, scheduler="dpm++_2m", num_inference_steps=3),
    "draw with unipc": partial(draw, scheduler="unipc", num_inference_steps=3),
    "draw with heun": partial(draw, scheduler="heun"),
    "draw plainly": draw_plainly,
    "draw, U-Net fails": fails(partial(broken_off, part="unet", call=2, operation=draw), Stop),
    "draw, text encoder fails": fails(
        partial(
            broken_off,
            part="text_encoder",
            call=1,
            operation=partial(draw, lora_scale=0.5, scheduler="euler_a"),
        ),
        Stop,
    ),
    "train": fit,
    "train fast": partial(fit, fast_layers="all"),
    "train in parts": partial(fit, gradient_accumulation_steps=2),
    "train in bf16": partial(fit, mixed_precision="bf16"),
    "train with checkpointing": partial(fit, gradient_checkpointing=True),
    "train with min-SNR": partial(fit, min_snr_gamma=5.0),
    "train with dropped captions": partial(fit, caption_dropout=0.5),
    "train, stopped": fails(partial(fit, last=1, fast_layers="all"), Stop),
    "train, U-Net fails": fails(
        partial(
            broken_off,
            part="unet",
            call=2,
            operation=partial(fit, gradient_checkpointing=True, mixed_precision="bf16"),
        ),
        Stop,
    ),
    "train on a broken picture": fails(partial(fit, broken=True), FloatingPointError, ValueError),
    "add a file": lambda state: add(state, ("one", 1.0)),
    "take a file away": lambda state: add(state, ("one", -1.0)),
    "add two files": lambda state: add(state, ("one", 0.5), ("other", 0.8)),
    "add, one is gone": fails(add_misfit, Exception),
    "read the change": change,
    "merge": merged,
    "save and load": save_and_load,
    "go on with a copy": go_on_with_a_copy,
}
