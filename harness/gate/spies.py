"""Watch models and optimisers without being seen: whatever the loop looks like, it passes here.

The U-Net is a subclass and not a hooked module, because ``unet.forward(...)``, a wrapper or
``torch.compile`` go past hooks but not past the method itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from harness.gate.places import Finder


@dataclass
class UNetCall:
    """One call of the U-Net."""

    after_steps: int  # optimiser steps done before it
    sample: Tensor  # (B, 4, h, w)
    timesteps: Tensor  # (B,)
    states: Tensor  # (B, S, D)
    grad_enabled: bool
    training: bool
    output_dtype: torch.dtype | None = None
    output_grad: Tensor | None = None  # (B, 4, h, w)
    output: Tensor | None = None  # (B, 4, h, w)
    miss: Tensor | None = None  # (B, 4, h, w) by how much a stand-in's answer is wrong
    autocast: bool = False
    besides: tuple[str, ...] = ()  # names of further arguments that are not None
    place: str | None = None


@dataclass
class OptimizerStep:
    """What an optimiser held when its ``step`` was called."""

    parameters: frozenset[int]  # ids
    learning_rates: tuple[float, ...]
    grad_norm: float
    dtypes: frozenset[torch.dtype]
    place: str | None


# What the U-Net answers in place of itself, computing nothing.
StandIn = Callable[[UNetCall], Tensor]


@dataclass
class Spy:
    """Keeps what was seen."""

    finder: Finder
    calls: list[UNetCall] = field(default_factory=list)
    steps: list[OptimizerStep] = field(default_factory=list)
    untokenized: str | None = None  # the line that gave words to the text encoder

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # copies of a model (an EMA) are watched by the same eyes

    @property
    def rounds(self) -> list[list[OptimizerStep]]:
        """The steps, grouped: several optimisers side by side make one step together."""
        grouped: list[list[OptimizerStep]] = []
        for step in self.steps:
            if not grouped or any(step.parameters == other.parameters for other in grouped[-1]):
                grouped.append([])
            grouped[-1].append(step)
        return grouped

    @property
    def trained_calls(self) -> list[UNetCall]:
        """The calls that a loss could learn from."""
        return [call for call in self.calls if call.grad_enabled]

    def watch_text_encoder(self, text_encoder: nn.Module, tokenizer: Any) -> None:
        """Help with captions as text.

        A text encoder that is handed words raises. Here it notes that, and reads them all the
        same, so that one finding does not hide the others.
        """

        def read(_module: nn.Module, args: Any, kwargs: Any) -> Any:
            words = args[0] if args else kwargs.get("input_ids")
            if not isinstance(words, (list, tuple)) or not all(isinstance(w, str) for w in words):
                return None
            self.untokenized = self.untokenized or self.finder.caller() or "the text encoder"
            options = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
            return (tokenizer(list(words), **options).input_ids,), {}

        text_encoder.register_forward_pre_hook(read, with_kwargs=True)

    @contextlib.contextmanager
    def watching_optimizers(self) -> Iterator[None]:
        """Note every optimiser step of the process inside the block."""

        def note(optimizer: torch.optim.Optimizer, *_: Any) -> None:
            if type(optimizer).__module__.startswith("accelerate"):
                return  # only wraps the real one, which comes here too
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            grads = [p.grad.detach().float() for p in parameters if p.grad is not None]
            squares = sum(float(grad.double().pow(2).sum()) for grad in grads)
            self.steps.append(
                OptimizerStep(
                    parameters=frozenset(map(id, parameters)),
                    learning_rates=tuple(float(g["lr"]) for g in optimizer.param_groups),
                    grad_norm=squares**0.5,
                    dtypes=frozenset(p.dtype for p in parameters),
                    place=self.finder.caller(),
                )
            )

        handle = register_optimizer_step_pre_hook(note)
        try:
            yield
        finally:
            handle.remove()


class SpiedUNet(UNet2DConditionModel):  # type: ignore[misc]  # diffusers has no types
    """A real U-Net that tells its spy what it is asked; or another answers in its place."""

    spy: Spy | None = None
    stand_in: StandIn | None = None

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        encoder_hidden_states: Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Do what a U-Net does, watched."""
        besides = tuple(name for name, value in kwargs.items() if given(name, value))
        stand_in = self._stand_in(sample, timestep, encoder_hidden_states, besides)
        if stand_in is not None:
            whole = kwargs.get("return_dict", True)
            return UNet2DConditionOutput(stand_in) if whole else (stand_in,)
        self._tell(sample, timestep, encoder_hidden_states)
        return super().forward(sample, timestep, encoder_hidden_states, *args, **kwargs)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _stand_in(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        states: Tensor,
        besides: tuple[str, ...],
    ) -> Tensor | None:
        if self.stand_in is None:
            return None
        call = self._call(
            sample,
            timestep,
            states,
            after_steps=0,
            output_dtype=sample.dtype,
            autocast=torch.is_autocast_enabled("cpu"),
            besides=besides,
        )
        return self.stand_in(call)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _tell(self, sample: Tensor, timestep: Tensor | float, states: Tensor) -> None:
        if self.spy is not None:
            steps = len(self.spy.rounds)
            self.spy.calls.append(self._call(sample, timestep, states, after_steps=steps))

    def _call(
        self, sample: Tensor, timestep: Tensor | float, states: Tensor, **more: Any
    ) -> UNetCall:
        """Note how the U-Net is called; the arguments may change afterwards."""
        return UNetCall(
            sample=sample.detach().float().clone(),
            timesteps=timesteps_of(sample, timestep),
            states=states.detach().float().clone(),
            grad_enabled=torch.is_grad_enabled(),
            training=self.training,
            **more,
        )


def given(name: str, value: object) -> bool:
    """Tell whether an argument of the U-Net changes its answer."""
    return name != "return_dict" and value is not None and value != {}


def timesteps_of(sample: Tensor, timestep: Tensor | float) -> Tensor:
    """Return the timestep of each picture, (B,), whatever form the U-Net was told it in."""
    return torch.as_tensor(timestep).detach().reshape(-1).expand(len(sample)).clone()
