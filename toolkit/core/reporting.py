"""The interface between a training loop and its caller: progress, and state to resume from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor


class Reporter(Protocol):
    """Gets a training loop's progress; ``train`` receives one."""

    def step(self, step: int, loss: float) -> None:
        """Report one finished optimiser step.

        Args:
            step: Number of the finished step, starting at 1.
            loss: Training loss of that step, a plain number.
        """


class TrainState(NamedTuple):
    """What a training loop needs to continue where it stopped; kept as safetensors and JSON."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


@runtime_checkable
class ResumableReporter(Reporter, Protocol):
    """A reporter of a long run. A resumable loop tests for it with ``isinstance``.

    Attributes:
        cache_dir: Where latents and embeddings may be kept for later runs, or None.
    """

    cache_dir: Path | None

    def resume(self) -> TrainState | None:
        """Return the state that an earlier run of this job passed to ``checkpoint``, or None."""

    def checkpoint(self, step: int, make_state: Callable[[], TrainState]) -> None:
        """Offer to keep the state after a step; call it after ``step``, every time.

        The reporter decides whether a checkpoint is due, and only then calls ``make_state``. This
        is also where Ctrl-C takes effect, after the step has finished and its state is on disk.

        Raises:
            KeyboardInterrupt: The user wants to stop.
        """
