"""The services around a training loop: where a step is computed, and what becomes of it.

The loop itself, with everything that one wants to read in it, is ``src/train.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from toolkit.core.reporting import ResumableReporter

from .devices import check_finite, own_rows, start_accelerator, sum_up, training_mode
from .draws import DROPOUT, seed_of
from .optimizers import build_optimizer, restore_training, set_learning_rate, training_state

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from toolkit.core.reporting import Reporter
    from toolkit.core.settings import TrainConfig


class Batch(Protocol):
    """Everything about the pictures of one step, by rows."""

    @property
    def timesteps(self) -> Tensor:
        """How much noise each picture gets, (B,)."""

    def part(self, rows: Tensor) -> Self:
        """Return some rows of the batch."""


B = TypeVar("B", bound=Batch)


class Loop:
    """Device, precision, optimiser, learning rate, going on, reports and checkpoints of a training.

    Args:
        pipeline: The base model with the adapter attached; moved to its device.
        adapter: Its parameters are trained and nothing else.
        config: Steps, batch size, optimiser, precision and so on.
        reporter: Hears of each finished step; a ``ResumableReporter`` also keeps checkpoints.

    Attributes:
        device: Where the U-Net computes.
        optimizer: Of the adapter's parameters.
        cache_dir: Where latents and embeddings are kept for later runs, or None.
        losses: Of all finished steps, those of an earlier run included.

    Raises:
        ValueError: The settings do not go with the base, the device or the number of processes.
    """

    def __init__(
        self,
        pipeline: StableDiffusionPipeline,
        adapter: nn.Module,
        config: TrainConfig,
        reporter: Reporter,
    ) -> None:
        self._pipeline, self._adapter, self._config = pipeline, adapter, config
        self._accelerator = start_accelerator(pipeline, config)
        self.device = self._accelerator.device
        self.optimizer: torch.optim.Optimizer = self._accelerator.prepare_optimizer(
            build_optimizer(pipeline, adapter, config)
        )
        # A list: a generator would be empty after the first step.
        self._parameters = [p for p in adapter.parameters() if p.requires_grad]
        self._reporter = reporter
        self._keeper = reporter if isinstance(reporter, ResumableReporter) else None
        self.cache_dir = self._keeper.cache_dir if self._keeper else None
        self.losses: list[float] = []
        self._loss = torch.zeros((), device=self.device)

    @contextmanager
    def training(self, lora_hook: Callable[..., Any], *, trains_text: bool) -> Iterator[None]:
        """Go on where an earlier run stopped, and let the models train inside the block.

        Args:
            lora_hook: The forward hook that adds ``layer.lora`` to a layer's output.
            trains_text: Whether the text encoder has an adapter too.
        """
        if self._keeper:
            state = self._keeper.resume()
            self.losses = restore_training(state, self._adapter, self.optimizer)
        with training_mode(self._pipeline, trains_text, self._config, lora_hook):
            yield

    def steps(self) -> Iterator[int]:
        """Yield the numbers of the steps that are left, each with its seed and learning rate set.

        The seed is that of torch's global generator, which dropout uses.
        """
        for step in range(len(self.losses) + 1, self._config.steps + 1):
            process = self._accelerator.process_index
            torch.manual_seed(seed_of(self._config.seed, DROPOUT, step, process))
            set_learning_rate(self.optimizer, step, self._config)
            self._loss = torch.zeros((), device=self.device)
            yield step

    def parts(self, batch: B) -> Iterator[B]:
        """Yield the rows that this process computes, in as many parts as memory needs."""
        for rows in own_rows(self._accelerator, self._config):
            yield batch.part(rows)

    def autocast(self) -> AbstractContextManager[None]:
        """Open the precision that the base computes in."""
        context: AbstractContextManager[None] = self._accelerator.autocast()
        return context

    def backward(self, loss: Tensor, part: Batch) -> None:
        """Add the gradients of a part's mean loss, which counts for its share of the batch."""
        loss = loss * (len(part.timesteps) / self._config.batch_size)
        self._accelerator.backward(loss)
        self._loss += loss.detach()

    def clip_gradients(self) -> None:
        """Add up the gradients of all processes and clip their norm to ``max_grad_norm``.

        Raises:
            FloatingPointError: Loss or gradient is not finite; nothing has been changed by it.
        """
        config, step = self._config, len(self.losses) + 1
        loss = sum_up(self._accelerator, self._parameters, self._loss)
        grad_norm = self._accelerator.clip_grad_norm_(self._parameters, config.max_grad_norm)
        # Both numbers in one go: on a GPU each .item() would wait for everything before it.
        loss_value, norm_value = torch.stack((loss, grad_norm)).tolist()
        check_finite(self._accelerator, step, loss_value, norm_value, config)
        self.losses.append(loss_value)

    def report(self, step: int) -> None:
        """Tell the reporter that a step is finished, and offer it the state to keep.

        Raises:
            KeyboardInterrupt: The user wants to stop; the state is on disk.
        """
        self._reporter.step(step, self.losses[-1])
        if self._keeper:
            self._keeper.checkpoint(
                step, lambda: training_state(self._adapter, self.optimizer, self.losses)
            )
